"""Drawn lesions with structure fine enough to tell two of them apart, and what copying does to a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

Rgb = npt.NDArray[np.uint8]


def draw_lesion(seed: int, height: int = 150, width: int = 200) -> Rgb:
    """Return (height, width, 3) uint8: skin with a dark, dotted, hairy lesion, different for each seed."""
    rng = np.random.default_rng(seed)
    skin = np.empty((height, width, 3), np.float32)
    skin[:] = np.array([205, 160, 140]) + rng.uniform(-20, 20, 3)
    grain = cv2.resize(rng.normal(0, 1, (height // 3, width // 3)).astype(np.float32), (width, height))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    centre = np.array([height, width]) * rng.uniform(0.4, 0.6, 2)
    angle = np.arctan2(y - centre[0], x - centre[1])
    edge = 1 + sum(rng.uniform(-0.2, 0.2) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(2, 6))
    radius = height * rng.uniform(0.22, 0.33) * edge
    inside = 1 / (1 + np.exp((np.hypot(y - centre[0], x - centre[1]) - radius) / 3))
    picture = skin - inside[..., None] * rng.uniform(60, 100) + (grain * (4 + 14 * inside))[..., None]
    for _ in range(6):
        ends = (rng.uniform(0, 1, (2, 2)) * [width, height]).astype(int)
        cv2.line(picture, tuple(map(int, ends[0])), tuple(map(int, ends[1])), (60, 40, 35), 1, cv2.LINE_AA)
    return np.clip(picture, 0, 255).astype(np.uint8)


def save(path: Path, rgb: Rgb, quality: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR)
    assert cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return path


def cropped(rgb: Rgb, side: float, at: tuple[float, float] = (0.5, 0.5)) -> Rgb:
    """A part of the picture, `side` of each side, placed by fractions of what is left over."""
    height, width = rgb.shape[:2]
    h, w = round(height * side), round(width * side)
    y, x = round((height - h) * at[0]), round((width - w) * at[1])
    return rgb[y : y + h, x : x + w]


def squashed(rgb: Rgb, size: int = 224) -> Rgb:
    return np.asarray(cv2.resize(np.ascontiguousarray(rgb), (size, size), interpolation=cv2.INTER_AREA))


def relit(rgb: Rgb, gain: float, offset: float) -> Rgb:
    return np.clip((rgb.astype(np.float32) - 128) * gain + 128 + offset, 0, 255).astype(np.uint8)


#: What copying does, and the kind of pair it makes.
COPIES: dict[str, tuple[Callable[[Rgb], Rgb], str]] = {
    "coded-anew": (lambda p: p, "near"),
    "quarter-turn": (lambda p: np.rot90(p), "near"),
    "half-turn": (lambda p: np.rot90(p, 2), "near"),
    "mirrored": (lambda p: p[:, ::-1], "near"),
    "mirrored-and-turned": (lambda p: np.rot90(p, 3)[:, ::-1], "near"),
    "squashed": (squashed, "near"),
    "squashed-turned-relit": (lambda p: relit(squashed(np.rot90(p)), 0.85, 15), "near"),
    "cropped-90": (lambda p: cropped(p, 0.9, (0.1, 0.8)), "crop"),
    "cropped-80-squashed": (lambda p: squashed(cropped(p, 0.8, (0.9, 0.3))), "crop"),
    "cropped-73-mirrored-dark": (lambda p: relit(cropped(p, 0.73)[:, ::-1], 0.9, -20), "crop"),
}


@pytest.fixture(scope="session")
def lesion() -> Callable[..., Rgb]:
    """`draw_lesion`."""
    return draw_lesion


@pytest.fixture(scope="session")
def two_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets: `originals`, laid out as HAM10000, and `copies/{train,test}/{benign,malignant}`.

    Lesion k has pictures 2k and 2k + 1. Copy number k is made of picture 2k; it lies in train where k is
    even, in test where odd. `copies/test/benign/stranger*.jpg` are copies of nothing.
    """
    root = tmp_path_factory.mktemp("sets")
    rows = ["lesion_id,image_id,dx,dataset"]
    for number in range(60):
        save(root / "originals/images" / f"p{number:02}.jpg", draw_lesion(number))
        rows.append(
            f"L{number // 2},p{number:02},{'mel' if number % 20 < 10 else 'nv'},{'ab'[number % 4 // 2]}"
        )
    (root / "originals/HAM10000_metadata.csv").write_text("\n".join(rows) + "\n")
    for k, (name, (change, _)) in enumerate(COPIES.items()):
        part = "test" if k % 2 else "train"
        label = "malignant" if 2 * k % 20 < 10 else "benign"
        save(root / "copies" / part / label / f"{name}.jpg", change(draw_lesion(2 * k)), quality=70)
    for number in range(5):
        save(root / "copies/test/benign" / f"stranger{number}.jpg", draw_lesion(900 + number))
    return root
