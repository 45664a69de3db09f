"""Stage 4: the colour of the light goes, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_skin import drawn_skin, noise

from skin_edge.preprocess.colour_constancy import ColourBalancer, balance_colour
from skin_edge.preprocess.spec import ColourConstancy


@pytest.mark.parametrize("cast", [(1.0, 0.85, 0.65), (0.7, 0.8, 1.0), (0.9, 1.0, 0.8)])
@pytest.mark.parametrize("p", [1, 6, 16])
def test_pictures_under_two_lights_become_one(cast: tuple[float, float, float], p: int) -> None:
    spec = ColourConstancy(minkowski_p=p)
    white = balance_colour(drawn_skin(128, 128, cast=(0.9, 0.9, 0.9)), spec).astype(float)
    tinted = balance_colour(drawn_skin(128, 128, cast=cast), spec).astype(float)
    # The overall brightness of the two may differ; what they show of colour must not.
    difference = white / white.sum(axis=2, keepdims=True) - tinted / tinted.sum(axis=2, keepdims=True)
    assert np.abs(difference).mean() < 0.01


@pytest.mark.parametrize("p", [1, 2, 6, 16])
def test_gains_are_those_of_the_formula(p: int) -> None:
    image = noise(40, 50) // np.array([1, 2, 3], np.uint8)
    illuminant = (image.astype(np.float64) ** p).mean(axis=(0, 1)) ** (1 / p)
    expected = np.linalg.norm(illuminant) / np.sqrt(3) / illuminant
    np.testing.assert_allclose(
        ColourBalancer(ColourConstancy(minkowski_p=p, max_gain=8.0)).gains(image), expected, rtol=1e-9
    )


def test_grey_picture_stays() -> None:
    image = np.repeat(noise(64, 64)[..., :1], 3, axis=2)
    np.testing.assert_array_equal(balance_colour(image, ColourConstancy()), image)


def test_gain_is_bounded_both_ways() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0], image[..., 1] = 200, 1
    np.testing.assert_allclose(
        ColourBalancer(ColourConstancy(max_gain=1.5)).gains(image), [1 / 1.5, 1.5, 1.5]
    )


def test_bright_values_are_clipped_not_wrapped() -> None:
    image = np.full((32, 32, 3), (255, 100, 100), np.uint8)
    image[0, 0] = 255
    assert (balance_colour(image, ColourConstancy(minkowski_p=1))[0, 0, 1:] == 255).all()


def test_black_picture_stays_black() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    np.testing.assert_array_equal(balance_colour(image, ColourConstancy()), image)
