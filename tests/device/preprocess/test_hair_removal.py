"""Stage 2: hairs go, lesions stay."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_skin import drawn_skin, noise

from skin_edge.preprocess.hair_removal import HairRemover, remove_hair
from skin_edge.preprocess.spec import HairRemoval


def _largest_hair_error(image: np.ndarray, bare: np.ndarray, hair: np.ndarray) -> float:
    """Mean deviation from skin without hair where hair was, in grey levels."""
    return float(np.abs(image.astype(int) - bare)[hair].mean())


@pytest.mark.parametrize("inpaint", ["ns", "telea"])
@pytest.mark.parametrize("seed", range(4))
def test_drawn_hairs_are_filled_with_skin(inpaint: str, seed: int) -> None:
    bare = drawn_skin(128, 128, seed, lesion=False, noise=0)
    hairy = drawn_skin(128, 128, seed, lesion=False, hairs=4)
    hair = np.abs(hairy.astype(int) - bare).max(axis=2) > 20
    cleaned = remove_hair(hairy, HairRemoval(inpaint=inpaint))
    assert _largest_hair_error(hairy, bare, hair) > 40
    assert _largest_hair_error(cleaned, bare, hair) < 6


def test_only_the_surroundings_of_hairs_change() -> None:
    hairy = drawn_skin(128, 128, seed=5, hairs=3)
    remover = HairRemover(HairRemoval())
    mask = remover.mask(hairy) > 0
    assert 0.02 < mask.mean() < 0.2
    np.testing.assert_array_equal(remover(hairy)[~mask], hairy[~mask])


def test_lesion_without_hair_stays() -> None:
    image = drawn_skin(128, 128, seed=6)
    np.testing.assert_array_equal(remove_hair(image, HairRemoval()), image)


def test_lesion_under_hairs_stays_dark() -> None:
    bare = drawn_skin(128, 128, seed=7, noise=0)
    cleaned = remove_hair(drawn_skin(128, 128, seed=7, hairs=3), HairRemoval())
    y, x = np.mgrid[:128, :128]
    lesion = np.hypot(x - 64, y - 64) < 20
    assert np.abs(cleaned.astype(int) - bare)[lesion].mean() < 6


def test_round_dots_thinner_than_the_kernel_are_pigment_not_hair() -> None:
    image = drawn_skin(128, 128, seed=8, lesion=False)
    y, x = np.mgrid[:128, :128]
    image[(x % 16 - 8) ** 2 + (y % 16 - 8) ** 2 <= 9] = (90, 60, 50)
    np.testing.assert_array_equal(remove_hair(image, HairRemoval()), image)


@pytest.mark.parametrize("angle_deg", range(0, 180, 15))
def test_hair_is_found_at_every_angle(angle_deg: int) -> None:
    image = drawn_skin(128, 128, lesion=False)
    y, x = np.mgrid[:128, :128] - 64.0
    angle = np.deg2rad(angle_deg + 7)
    hair = np.abs(x * np.sin(angle) - y * np.cos(angle)) <= 1
    image[hair] = (45, 35, 30)
    assert HairRemover(HairRemoval()).mask(image)[hair].mean() > 0.97 * 255


def test_image_of_nothing_but_texture_is_left_alone() -> None:
    texture = np.tile(np.array([[0], [0], [0], [255]], np.uint8), (32, 128))[..., None].repeat(3, 2)
    remover = HairRemover(HairRemoval())
    assert (remover.mask(texture) > 0).mean() > 0.3
    np.testing.assert_array_equal(remover(texture), texture)


def test_threshold_decides_how_faint_a_hair_may_be() -> None:
    image = np.full((64, 64, 3), 150, np.uint8)
    image[30:32] = 130
    np.testing.assert_array_equal(remove_hair(image, HairRemoval(threshold=20)), image)
    np.testing.assert_array_equal(remove_hair(image, HairRemoval(threshold=19)), np.full_like(image, 150))


def test_unchanged_image_is_a_new_array() -> None:
    image = noise(64, 64)
    result = remove_hair(image, HairRemoval(max_coverage=1e-6))
    assert not np.shares_memory(result, image)
