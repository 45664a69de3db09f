"""Copies are found however they were made; other lesions, and the rim of a dermatoscope, are not copies."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skin_edge.camera.decode import read_image
from skin_edge_training.audit.frames import ORIENTATIONS, Frames, orient, squash, visible_part
from skin_edge_training.audit.pictures import read_pictures
from skin_edge_training.audit.twins import Pair, compose, exact_copies, find_pairs, inverse, turned_to_plain
from skin_edge_training.data.readers import read_sets

Rgb = npt.NDArray[np.uint8]
Draw = Callable[..., Rgb]


def quiet(items: range, description: str) -> range:
    return items


def pairs_of(pictures: list[Rgb]) -> list[Pair]:
    digests = [(f"{p.shape}{hash(p.tobytes())}",) for p in pictures]
    return find_pairs([squash(p) for p in pictures], digests, quiet)


@pytest.fixture(scope="module")
def found(two_sets: Path) -> dict[tuple[str, str], Pair]:
    pictures = read_pictures(read_sets([two_sets / "originals", two_sets / "copies"]).table, quiet)
    names = [Path(path).stem for path in pictures.table["path"]]
    pairs = find_pairs(pictures.greys, pictures.digests, quiet)
    return {(names[p.a], names[p.b]): p for p in pairs}


def test_every_copy_is_found_with_its_kind_and_nothing_else(found: dict[tuple[str, str], Pair]) -> None:
    expected = {
        ("p00", "coded-anew"): "near",
        ("p02", "quarter-turn"): "near",
        ("p04", "half-turn"): "near",
        ("p06", "mirrored"): "near",
        ("p08", "mirrored-and-turned"): "near",
        ("p10", "squashed"): "near",
        ("p12", "squashed-turned-relit"): "near",
        ("p14", "cropped-90"): "crop",
        ("p16", "cropped-80-squashed"): "crop",
        ("p18", "cropped-73-mirrored-dark"): "crop",
    }
    assert {pair: p.kind for pair, p in found.items()} == expected
    assert all(0.8 <= p.similarity <= 1 for p in found.values())


def test_the_same_bytes_and_the_same_pixels_are_exact_and_share_their_near_copies(
    tmp_path: Path, lesion: Draw
) -> None:
    picture = lesion(1)
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    cv2.imwrite(str(tmp_path / "c.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    cv2.imwrite(str(tmp_path / "d.jpg"), picture)
    cv2.imwrite(str(tmp_path / "e.jpg"), lesion(2))
    pictures = read_pictures(read_sets([tmp_path]).table, quiet)
    pairs = find_pairs(pictures.greys, pictures.digests, quiet)
    kinds = {(p.a, p.b): p.kind for p in pairs}
    exact, near = [(0, 1), (0, 2), (1, 2)], [(0, 3), (1, 3), (2, 3)]
    assert kinds == {**dict.fromkeys(exact, "exact"), **dict.fromkeys(near, "near")}


def test_digests_in_common_join_transitively() -> None:
    assert exact_copies([("b1", "p1"), ("b2", "p1"), ("b3", "p3"), ("b2", "p1")]) == [[0, 1, 3], [2]]


def test_a_second_photograph_of_a_lesion_is_no_copy_of_the_first(lesion: Draw) -> None:
    first = lesion(5)
    matrix = cv2.getRotationMatrix2D((100, 75), 6, 1.05)
    second = cv2.warpAffine(first, matrix, (200, 150), borderMode=cv2.BORDER_REFLECT_101).astype(np.float32)
    rng = np.random.default_rng(0)
    for seed in range(60):  # hairs and highlights that have moved
        x, y = rng.uniform(0, 200), rng.uniform(0, 150)
        shade = 230 if seed % 2 else 60
        cv2.circle(second, (int(x), int(y)), 3, (shade, shade, shade), -1, cv2.LINE_AA)
    kinds = {p.kind for p in pairs_of([first, np.clip(second, 0, 255).astype(np.uint8)])}
    assert kinds <= {"sibling"}


def test_the_round_rim_of_a_dermatoscope_makes_no_pairs(lesion: Draw) -> None:
    mask = np.zeros((150, 200, 1), np.float32)
    cv2.circle(mask, (100, 75), 60, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 2)[..., None]
    pictures = [(lesion(seed) * mask).astype(np.uint8) for seed in range(20, 40)]
    assert pairs_of(pictures) == []
    copied = [*pictures, np.ascontiguousarray(np.rot90(pictures[3]))]
    assert [(p.a, p.b, p.kind) for p in pairs_of(copied)] == [(3, 20, "near")]


def test_a_dark_surround_is_left_out_and_a_dark_lesion_at_the_border_is_not() -> None:
    field = np.full((96, 96), 180, np.uint8)
    y, x = np.mgrid[:96, :96]
    surround = np.where(np.hypot(y - 48, x - 48) > 40, 5, field).astype(np.uint8)
    assert visible_part(surround)[48, 48] == 1
    assert visible_part(surround)[2, 2] == 0
    touching = np.where(np.hypot(y - 48, x) < 20, 40, field).astype(np.uint8)
    assert visible_part(touching).all()


def test_flat_pictures_are_no_copies_of_each_other() -> None:
    assert pairs_of([np.full((100, 120, 3), grey, np.uint8) for grey in (90, 120, 200)]) == []


def test_two_copies_of_one_original_are_a_pair_too_when_both_are_crops(lesion: Draw) -> None:
    original = lesion(8, 300, 400)
    parts = [original[:255, :340], original[45:, 60:], original]
    found = {(p.a, p.b): p.kind for p in pairs_of([np.ascontiguousarray(p) for p in parts])}
    assert found == {(0, 1): "crop", (0, 2): "crop", (1, 2): "crop"}


@given(st.integers(0, 7))
def test_an_orientation_and_its_map_agree(orientation: int) -> None:
    plain = np.arange(25).reshape(5, 5)
    turned, warp = orient(plain, orientation), turned_to_plain(orientation)
    for row, column in np.ndindex(5, 5):
        x, y = warp @ [(column + 0.5) / 5, (row + 0.5) / 5, 1]
        assert turned[row, column] == plain[int(y * 5), int(x * 5)]


@given(st.integers(0, 7), st.integers(0, 7))
def test_maps_compose_and_invert(first: int, second: int) -> None:
    assert ORIENTATIONS == 8
    there = compose(turned_to_plain(first), turned_to_plain(second))
    back = compose(inverse(there), there)
    np.testing.assert_allclose(back, [[1, 0, 0], [0, 1, 0]], atol=1e-12)


def test_frames_do_not_change_with_brightness_and_contrast(lesion: Draw) -> None:
    picture = lesion(3)
    brighter = np.clip(picture.astype(np.float32) * 0.8 + 30, 0, 255).astype(np.uint8)
    with ThreadPoolExecutor(1) as pool:
        frames = Frames.of([squash(picture), squash(brighter)], pool)
    a, b = (frames.coarse[k].astype(np.float32).ravel() for k in (0, 1))
    assert np.corrcoef(a, b)[0, 1] > 0.98


@pytest.mark.data
def test_real_pictures_the_known_twin_of_ham10000_and_copies_in_kaggle(data_dir: Path) -> None:
    images = data_dir / "ham10000" / "images"
    names = ["ISIC_0025226", "ISIC_0030074", *(p.stem for p in sorted(images.glob("*.jpg"))[:150])]
    pictures = [read_image(images / f"{name}.jpg") for name in names]
    kaggle = [read_image(p) for p in sorted((data_dir / "kaggle_bm/test/benign").glob("*.jpg"))[:40]]
    copies = [cv2.resize(np.ascontiguousarray(np.rot90(p)), (224, 224)) for p in pictures[2:12]]
    pairs = pairs_of([*pictures, *kaggle, *copies])
    kinds = {(p.a, p.b): p.kind for p in pairs}
    assert kinds[0, 1] in ("near", "crop")
    first_copy = len(pictures) + len(kaggle)
    assert all(kinds.get((2 + k, first_copy + k)) == "near" for k in range(10))
