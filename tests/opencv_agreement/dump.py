"""Run every named spec on every picture, under the OpenCV of this interpreter; called by run.py.

python dump.py INPUTS.npz OUTPUTS.npz
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "device" / "preprocess"))

from stage_cases import STAGE_SPECS

from skin_edge.preprocess.pipeline import Preprocessor


def main() -> None:
    """Write the outputs as one array for each spec, and the two versions beside them."""
    with np.load(sys.argv[1]) as inputs:
        pictures = [inputs[name] for name in inputs.files]
    outputs = {"opencv": np.array(cv2.__version__), "numpy": np.array(np.__version__)}
    for name, spec in STAGE_SPECS.items():
        preprocessor = Preprocessor(spec)
        outputs[name] = np.stack([preprocessor.to_image(picture) for picture in pictures])
    # The tensor is a table of the image: one spec shows it. Times the deviation, so in grey levels.
    spec = STAGE_SPECS["all"]
    normalise = Preprocessor(spec).normalise
    tensors = np.stack([normalise(image) for image in outputs["all"]])
    outputs["all_and_normalisation"] = tensors * np.array(spec.normalisation.std, np.float32)
    np.savez(sys.argv[2], **outputs)


main()
