"""Stage 3: noise goes, edges stay."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_skin import drawn_skin

from skin_edge.preprocess.denoise import denoise
from skin_edge.preprocess.spec import Denoise


@pytest.mark.parametrize(
    ("spec", "share"),
    [(Denoise(), 0.6), (Denoise(kernel_px=5), 0.4), (Denoise(method="bilateral", kernel_px=5), 0.5)],
)
def test_noise_shrinks(spec: Denoise, share: float) -> None:
    clean = drawn_skin(128, 128, lesion=False, noise=0).astype(int)
    noisy = drawn_skin(128, 128, lesion=False, noise=10)
    assert np.std(denoise(noisy, spec) - clean) < share * np.std(noisy - clean)


@pytest.mark.parametrize("spec", [Denoise(), Denoise(method="bilateral", kernel_px=5)])
def test_border_stays_where_it_is(spec: Denoise) -> None:
    image = np.full((64, 64, 3), 60, np.uint8)
    image[:, 32:] = 200
    np.testing.assert_array_equal(denoise(image, spec), image)


def test_median_takes_single_wrong_pixels_out() -> None:
    image = np.full((64, 64, 3), 150, np.uint8)
    image[8:60:9, 8:60:9] = 255
    np.testing.assert_array_equal(denoise(image, Denoise()), np.full_like(image, 150))


def test_sigma_decides_what_the_bilateral_filter_takes_for_an_edge() -> None:
    image = np.full((64, 64, 3), 100, np.uint8)
    image[:, 32:] = 130
    kept = denoise(image, Denoise(method="bilateral", kernel_px=5, sigma_colour=5.0))
    blurred = denoise(image, Denoise(method="bilateral", kernel_px=5, sigma_colour=100.0))
    np.testing.assert_array_equal(kept, image)
    assert 5 < np.abs(blurred.astype(int) - image).max() < 15


@pytest.mark.parametrize(("kernel_px", "sigma"), [(3, 10.0), (5, 20.0), (9, 60.0)])
def test_bilateral_is_the_weighted_mean_of_the_formula(kernel_px: int, sigma: float) -> None:
    image = drawn_skin(24, 32, noise=15)
    radius, sigma_px = kernel_px // 2, 0.3 * ((kernel_px - 1) / 2 - 1) + 0.8
    padded = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), mode="reflect").astype(float)
    total, weights = np.zeros(image.shape), np.zeros(image.shape[:2])
    for y in range(-radius, radius + 1):
        for x in range(-radius, radius + 1):
            if x * x + y * y <= radius**2:
                other = padded[radius + y : radius + y + 24, radius + x : radius + x + 32]
                far = np.abs(other - image).mean(axis=2)
                weight = np.exp(-(x * x + y * y) / (2 * sigma_px**2) - far**2 / (2 * sigma**2))
                total += weight[..., None] * other
                weights += weight
    result = denoise(image, Denoise(method="bilateral", kernel_px=kernel_px, sigma_colour=sigma))
    assert np.abs(result - total / weights[..., None]).max() < 1.0


@pytest.mark.parametrize("method", ["median", "bilateral"])
def test_kernel_wider_than_the_image(method: str) -> None:
    image = np.full((16, 16, 3), 77, np.uint8)
    np.testing.assert_array_equal(denoise(image, Denoise(method=method, kernel_px=63)), image)
