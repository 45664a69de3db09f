"""Random views stay on the lesion, in range, and follow their seed."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.preprocess.spec import CropResize, PreprocessSpec
from skin_edge_training.config import AugmentConfig
from skin_edge_training.data.augment import darken_surround, random_colour, random_view, random_warp

OFF = AugmentConfig(
    flip=False, rotate=False, zoom=0, shift=0, brightness=0, contrast=0, saturation=0, white_balance=0
)


def smooth_picture() -> np.ndarray:
    y, x = np.mgrid[0:150, 0:200].astype(np.float64)
    return np.stack([100 + 60 * np.sin(x / 30), 120 + 50 * np.cos(y / 25), 90 + x / 4], -1).astype(np.uint8)


def test_everything_off_is_the_devices_own_crop() -> None:
    picture = smooth_picture()
    view = random_view(picture, 64, 1.0, OFF, np.random.default_rng(0))
    device = Preprocessor(PreprocessSpec(crop_resize=CropResize(size_px=64))).to_image(picture)
    assert np.abs(view.astype(int) - device.astype(int)).max() <= 4


@pytest.mark.parametrize("seed", range(20))
def test_the_centre_of_a_view_is_near_the_centre_of_the_picture(seed: int) -> None:
    config = AugmentConfig(shift=0.08)
    warp = random_warp((150, 200), 64, 1.0, config, np.random.default_rng(seed))
    centre = warp @ np.array([31.5, 31.5, 1.0])
    assert np.abs(centre - np.array([99.5, 74.5])).max() <= 0.08 * 150 + 1e-9


def test_views_differ_and_follow_the_seed() -> None:
    picture = smooth_picture()
    first, again, other = (
        random_view(picture, 64, 1.0, AugmentConfig(), np.random.default_rng(s)) for s in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_flips_happen_half_of_the_time() -> None:
    config = AugmentConfig(rotate=False, zoom=0, shift=0)
    signs = [random_warp((150, 200), 64, 1.0, config, np.random.default_rng(s))[0, 0] < 0 for s in range(400)]
    assert 150 < sum(signs) < 250


def test_colour_of_everything_off_is_the_identity() -> None:
    assert random_colour(OFF, np.random.default_rng(0)) == pytest.approx(np.eye(3, 4))


def test_a_dark_surround_is_one_circle_at_every_size_and_leaves_its_inside_alone() -> None:
    grey = {side: np.full((side, side, 3), 200, np.uint8) for side in (64, 128)}
    for seed in range(20):
        small, large = (darken_surround(picture, np.random.default_rng(seed)) for picture in grey.values())
        assert (large[0, 0] < 35).all()
        assert (large[60:68, 60:68] == 200).all()
        halved = large.reshape(64, 2, 64, 2, 3).mean((1, 3))
        assert np.abs(halved - small).mean() < 4


def test_a_dark_surround_comes_as_often_as_asked() -> None:
    picture = np.full((150, 200, 3), 200, np.uint8)
    config = msgspec.structs.replace(OFF, surround=0.3)
    corners = [random_view(picture, 64, 1.0, config, np.random.default_rng(s))[0, 0, 0] for s in range(400)]
    assert 90 < sum(corner < 35 for corner in corners) < 150
