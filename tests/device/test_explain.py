"""The explanation picture: colour where the activation is, over what the network saw, and written whole."""

from __future__ import annotations

import stat
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from skin_edge import durable, explain
from skin_edge.camera.decode import read_image
from skin_edge.errors import ImageError, StorageError
from skin_edge.explain import overlay, save_overlay

Map = npt.NDArray[np.float32]
LEGEND_PX = 44


def grey(height: int = 480, width: int = 640) -> npt.NDArray[np.uint8]:
    return np.full((height, width, 3), 128, np.uint8)


def flat(value: float) -> Map:
    return np.full((8, 8), value, np.float32)


def test_zero_leaves_the_picture_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    result = overlay(picture, flat(0.0), 0.5)
    assert result.shape == (480 + LEGEND_PX, 640, 3)
    changed = np.flatnonzero((result[:480] != picture).any(axis=2).any(axis=0))
    assert (changed.min(), changed.max()) == pytest.approx((200, 439), abs=2)  # the outline, and only it
    inside = np.s_[125:355, 205:435]
    assert np.array_equal(result[inside], picture[inside])


def test_malignant_is_yellow_benign_is_blue() -> None:
    left, right = 200, 440
    activation = np.zeros((8, 8), np.float32)
    activation[:, :3], activation[:, 5:] = -4.0, 4.0
    result = overlay(grey(), activation, 1.0).astype(int)
    blue, yellow = result[240, left - 60], result[240, right + 60]
    assert blue[2] > blue[0] + 60
    assert yellow[0] > yellow[2] + 60
    assert yellow[1] > yellow[2] + 40


def test_the_colour_covers_exactly_the_square_that_the_network_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "_outline", lambda *_: None)
    result = overlay(grey(400, 600), flat(5.0), 0.5)[:400]
    painted = (np.abs(result.astype(int) - 128).max(axis=2) > 2).nonzero()
    rows, columns = painted
    assert (rows.min(), rows.max()) == (100, 299)
    assert (columns.min(), columns.max()) == (200, 399)


def test_a_peak_is_painted_where_it_is_in_the_map() -> None:
    activation = np.zeros((8, 8), np.float32)
    activation[1, 6] = 9.0
    result = overlay(grey(480, 640), activation, 1.0).astype(int)[:480]
    warmth = (result[:, :, 0] - result[:, :, 2])[5:-5, 90:-90]
    row, column = np.unravel_index(warmth.argmax(), warmth.shape)
    assert (row + 5, column + 90) == pytest.approx((480 * 1.5 / 8, 80 + 480 * 6.5 / 8), abs=12)


def test_a_weak_map_is_painted_weakly_and_a_strong_one_to_full_colour() -> None:
    def warmth(value: float) -> int:
        pixel = overlay(grey(), flat(value), 1.0)[240, 320].astype(int)
        return int(pixel[0] - pixel[2])

    weak, full = warmth(0.1), warmth(explain.FULL_COLOUR_ACTIVATION)
    assert 0 < weak < full / 10
    assert warmth(50.0) == full


def test_the_map_is_smooth() -> None:
    activation = np.random.default_rng(0).normal(0, 3, (8, 8)).astype(np.float32)
    inner = overlay(grey(), activation, 1.0)[5:475, 90:550].astype(int)
    assert np.abs(np.diff(inner, axis=0)).max() <= 8
    assert np.abs(np.diff(inner, axis=1)).max() <= 8


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [
        (1080, 1920, (576, 1024)),
        (3000, 4000, (768, 1024)),
        (150, 200, (288, 384)),
        (600, 400, (600, 400)),
        (4000, 300, (1024, 384)),
        (1, 1, (384, 384)),
        (3, 5000, (1, 1024)),
    ],
)
def test_the_size_is_one_that_can_be_looked_at(height: int, width: int, shown: tuple[int, int]) -> None:
    result = overlay(grey(height, width), flat(1.0), 0.9)
    assert result.shape == (shown[0] + LEGEND_PX, shown[1], 3)
    assert result.dtype == np.uint8


def test_the_legend_is_written_at_every_size() -> None:
    for width in (200, 1024):
        band = overlay(grey(160, width), flat(1.0), 1.0)[-LEGEND_PX:]
        assert (band.min(axis=2) > 180).sum() > 200  # the letters
        text = (band.min(axis=2) > 120).any(axis=0).nonzero()[0]
        assert text.min() > 0
        assert text.max() < band.shape[1] - 1


def test_the_input_is_not_modified_and_any_layout_serves() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    before = picture.copy()
    bgr_view = np.ascontiguousarray(picture[:, :, ::-1])[:, :, ::-1]
    activation = flat(3.0)
    assert np.array_equal(overlay(picture, activation, 1.0), overlay(bgr_view, activation, 1.0))
    assert np.array_equal(picture, before)
    assert np.array_equal(activation, flat(3.0))


@pytest.mark.parametrize(
    ("rgb", "activation", "fraction"),
    [
        (np.zeros((9, 9), np.uint8), flat(0), 1.0),
        (grey(), np.zeros((4, 4, 1), np.float32), 1.0),
        (grey(), np.zeros((0, 4), np.float32), 1.0),
        (grey(), flat(float("nan")), 1.0),
        (grey(), flat(0), 0.0),
        (grey(), flat(0), 1.01),
    ],
)
def test_wrong_input_is_an_image_error(rgb: object, activation: Map, fraction: float) -> None:
    with pytest.raises(ImageError):
        overlay(rgb, activation, fraction)  # type: ignore[arg-type]


def test_a_saved_picture_is_the_same_picture_private_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "explained.png"
    path.write_bytes(b"old")
    save_overlay(path, grey(), flat(3.0), 0.8)
    assert np.array_equal(read_image(path), overlay(grey(), flat(3.0), 0.8))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["explained.png"]


def test_what_cannot_be_written_is_a_storage_error_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match="cannot be written") as caught:
        save_overlay(tmp_path / "absent" / "x.png", grey(), flat(1.0), 1.0)
    assert caught.value.exit_code == 5
    with pytest.raises(StorageError):
        save_overlay(tmp_path / "nul\0byte.png", grey(), flat(1.0), 1.0)
    path = tmp_path / "x.png"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        save_overlay(path, grey(), flat(1.0), 1.0)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.png"]


def test_the_two_colours_differ_for_people_with_a_colour_vision_deficiency() -> None:
    """Blue and yellow lie apart in lightness too, so that print and protanopia keep them apart."""
    both = np.array([[explain._BENIGN_RGB, explain._MALIGNANT_RGB]], np.uint8)
    lightness = cv2.cvtColor(both, cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert lightness[1] - lightness[0] > 80
