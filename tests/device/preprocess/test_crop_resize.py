"""Stage 1: what is cut, and that the fast way to the target size is also the right one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_skin import drawn_skin, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from skin_edge.errors import ImageError
from skin_edge.preprocess.crop_resize import central_square, crop_and_resize
from skin_edge.preprocess.spec import CropResize


@given(height=st.integers(16, 600), width=st.integers(16, 600), fraction=st.floats(0.05, 1.0))
@settings(max_examples=100, deadline=None)
def test_square_is_central(height: int, width: int, fraction: float) -> None:
    rows = np.broadcast_to(np.arange(height)[:, None, None], (height, width, 3))
    columns = np.broadcast_to(np.arange(width)[None, :, None], (height, width, 3))
    row_cut, column_cut = central_square(rows, fraction), central_square(columns, fraction)
    assert row_cut.shape[0] == row_cut.shape[1] == max(1, round(min(height, width) * fraction))
    assert abs(row_cut.mean() - (height - 1) / 2) <= 0.5
    assert abs(column_cut.mean() - (width - 1) / 2) <= 0.5


def test_content_lands_where_it_was() -> None:
    image = np.zeros((600, 1000, 3), np.uint8)
    image[:300, 200:500] = 255  # the top left quarter of the central square, and nothing else
    expected = np.zeros((64, 64, 3), np.uint8)
    expected[:32, :32] = 255
    np.testing.assert_array_equal(crop_and_resize(image, CropResize(size_px=64)), expected)


@pytest.mark.parametrize("side", [513, 515, 700, 1023, 1025, 1080, 2047, 2160, 3000, 3040])
def test_halving_agrees_with_one_area_interpolation_on_smooth_images(side: int) -> None:
    image = cv2.resize(drawn_skin(75, 75, seed=side), (side, side), interpolation=cv2.INTER_CUBIC)
    direct = cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA)
    difference = np.abs(crop_and_resize(image, CropResize()).astype(int) - direct)
    assert difference.max() <= 2


@pytest.mark.parametrize("factor", [2, 3, 4, 6, 8])
def test_whole_factor_is_the_mean_of_each_block(factor: int) -> None:
    image = noise(32 * factor, 32 * factor, seed=factor)
    mean = image.reshape(32, factor, 32, factor, 3).mean(axis=(1, 3))
    # Each step on the way rounds once, by half a grey level at most.
    assert np.abs(crop_and_resize(image, CropResize(size_px=32)) - mean).max() <= 1.5


def test_enlarging_interpolates_instead_of_repeating() -> None:
    ramp = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    steps = np.diff(crop_and_resize(ramp, CropResize(size_px=64))[32, :, 0].astype(int))
    assert steps.max() <= 3
    assert steps.min() >= 0


def test_image_of_the_target_size_is_copied() -> None:
    image = noise(128, 128)
    result = crop_and_resize(image, CropResize())
    np.testing.assert_array_equal(result, image)
    assert not np.shares_memory(result, image)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 3), np.float32),
        np.zeros((0, 20, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused_with_shape_and_type(image: np.ndarray) -> None:
    with pytest.raises(
        ImageError, match=r"expected .*\(H, W, 3\) uint8 RGB.* got shape \(.*\) of \w+"
    ) as caught:
        crop_and_resize(image, CropResize())
    assert caught.value.code == "image-shape"


def test_something_that_is_no_array_is_refused() -> None:
    with pytest.raises(ImageError, match="got list"):
        crop_and_resize([[1, 2, 3]], CropResize())  # type: ignore[arg-type]
