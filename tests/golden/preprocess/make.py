"""Write the golden outputs anew, after a stage was changed on purpose and ALGORITHM_VERSION was raised.

.venv/bin/python tests/golden/preprocess/make.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "device" / "preprocess"))

from stage_cases import golden_inputs  # noqa: E402

from skin_edge.preprocess.pipeline import Preprocessor  # noqa: E402

outputs = {name: Preprocessor(spec).to_image(image) for name, (spec, image) in golden_inputs().items()}
np.savez_compressed(HERE / "stages.npz", **outputs)
