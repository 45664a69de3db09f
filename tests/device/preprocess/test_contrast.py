"""Stage 5: lightness is spread, hue is kept."""

from __future__ import annotations

import cv2
import numpy as np
from drawn_skin import drawn_skin

from skin_edge.preprocess.contrast import ContrastEnhancer, enhance_contrast
from skin_edge.preprocess.spec import Contrast


def _lab(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float64)


def _flat_skin() -> np.ndarray:
    """Skin with its lesion at a quarter of the contrast."""
    image = drawn_skin(128, 128, noise=1).astype(np.float64)
    return np.rint(image.mean(axis=(0, 1)) + 0.25 * (image - image.mean(axis=(0, 1)))).astype(np.uint8)


def test_lightness_contrast_rises() -> None:
    image = _flat_skin()
    before, after = _lab(image)[..., 0], _lab(enhance_contrast(image, Contrast()))[..., 0]
    assert after.std() > 1.3 * before.std()


def test_higher_clip_limit_gives_more_contrast() -> None:
    image = _flat_skin()
    spread = [enhance_contrast(image, Contrast(clip_limit=limit)).std() for limit in (1.0, 2.0, 4.0)]
    assert spread[0] < spread[1] < spread[2]


def test_hue_is_kept() -> None:
    image = _flat_skin()
    before, after = _lab(image), _lab(enhance_contrast(image, Contrast()))
    hue = np.abs(np.arctan2(before[..., 2], before[..., 1]) - np.arctan2(after[..., 2], after[..., 1]))
    # Chroma of skin is about 25: one grey level of rounding turns the hue by up to three degrees.
    assert np.rad2deg(hue).mean() < 2.0
    assert np.abs(before[..., 1:] - after[..., 1:]).max() < 4.0


def test_grey_stays_grey() -> None:
    image = np.repeat(drawn_skin(64, 64)[..., :1], 3, axis=2)
    result = enhance_contrast(image, Contrast()).astype(int)
    assert np.ptp(result, axis=2).max() <= 1


def test_one_enhancer_gives_the_same_for_frames_in_any_order() -> None:
    enhancer = ContrastEnhancer(Contrast())
    first, second = drawn_skin(128, 128, seed=1), drawn_skin(64, 64, seed=2)
    alone = enhance_contrast(first, Contrast())
    enhancer(second)
    np.testing.assert_array_equal(enhancer(first), alone)
    enhancer(second)
    np.testing.assert_array_equal(enhancer(first), alone)


def test_result_of_one_call_outlives_the_next() -> None:
    enhancer = ContrastEnhancer(Contrast())
    result = enhancer(drawn_skin(64, 64, seed=1))
    kept = result.copy()
    enhancer(drawn_skin(64, 64, seed=2, cast=(0.5, 0.5, 0.5)))
    np.testing.assert_array_equal(result, kept)


def test_more_tiles_than_pixels() -> None:
    assert enhance_contrast(drawn_skin(16, 16), Contrast(tiles=32)).shape == (16, 16, 3)
