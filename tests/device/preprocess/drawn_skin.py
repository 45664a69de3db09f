"""Skin as arithmetic: pictures that are the same to the bit on every machine and NumPy.

Only integers, square roots and the frozen legacy generator are used, and no OpenCV, whose versions are
compared on these pictures.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]

SKIN = (205, 160, 140)
LESION = (110, 65, 55)
HAIR = (45, 35, 30)


def drawn_skin(
    height: int,
    width: int,
    seed: int = 0,
    *,
    lesion: bool = True,
    hairs: int = 0,
    hair_width_px: float = 2.0,
    noise: int = 3,
    cast: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Rgb:
    """Return a new (height, width, 3) uint8 picture of skin.

    Args:
        height: pixels.
        width: pixels.
        seed: of noise and hairs.
        lesion: draw a dark ellipse in the middle, a quarter of the shorter side in radius.
        hairs: number of straight dark strands from edge to edge.
        hair_width_px: their width.
        noise: largest deviation of a grey level.
        cast: what the light multiplies each channel by.
    """
    random = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    picture = np.array(SKIN, np.float64) * (0.9 + 0.1 * (x / width))[..., None]
    if lesion:
        radius = min(height, width) / 4
        distance = np.sqrt((x - width / 2) ** 2 + 1.5 * (y - height / 2) ** 2) / radius
        picture = _blend(picture, LESION, np.clip((1.1 - distance) / 0.2, 0, 1))
    for _ in range(hairs):
        picture = _blend(picture, HAIR, _strand(x, y, hair_width_px, random))
    picture = picture * np.array(cast) + random.randint(-noise, noise + 1, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _strand(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], width_px: float, random: np.random.RandomState
) -> npt.NDArray[np.float64]:
    height, width = x.shape
    left, right = random.randint(0, height, 2)
    along_x, along_y = float(width), float(right - left)
    length = np.sqrt(along_x**2 + along_y**2)
    distance = np.abs(along_x * (y - left) - along_y * x) / length
    return np.clip(width_px / 2 + 0.5 - distance, 0, 1)


def _blend(
    picture: npt.NDArray[np.float64], colour: tuple[int, int, int], share: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return picture + share[..., None] * (np.array(colour) - picture)


def noise(height: int, width: int, seed: int = 0) -> Rgb:
    """Return a (height, width, 3) uint8 picture of nothing but noise: the hardest case for agreement."""
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)
