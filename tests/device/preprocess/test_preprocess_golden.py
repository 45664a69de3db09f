"""No stage drifts: each gives what it gave when the golden outputs were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stage_cases import golden_inputs

from skin_edge.preprocess.pipeline import Preprocessor

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "preprocess" / "stages.npz"
CASES = golden_inputs()


def test_no_golden_output_is_left_over_or_missing() -> None:
    with np.load(GOLDEN) as golden:
        assert set(golden.files) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_output_is_the_golden_one(name: str) -> None:
    spec, image = CASES[name]
    with np.load(GOLDEN) as golden:
        expected = golden[name]
    result = Preprocessor(spec).to_image(image)
    assert result.dtype == expected.dtype == np.uint8
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_golden_outputs_tell_the_stages_apart() -> None:
    with np.load(GOLDEN) as golden:
        alone = [
            golden[n]
            for n in ("crop_resize", "hair_removal_ns", "denoise_median", "colour_constancy", "contrast")
        ]
    for i, one in enumerate(alone):
        for other in alone[:i]:
            assert np.abs(one.astype(int) - other).max() > 5
