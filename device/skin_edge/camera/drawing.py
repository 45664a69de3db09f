"""Drawn skin with a drawn lesion, for trying things out: nobody could take it for a photograph of a patient.

Nothing here is measured on patients, and what a network says about such a drawing means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

WIDTH_PX: Final = 1280
HEIGHT_PX: Final = 960

#: Skin colours, RGB, from light to dark, named after the Fitzpatrick types that they resemble.
SKIN_TONES: Final = (
    ("I", (240, 208, 190)),
    ("II", (229, 189, 164)),
    ("III", (211, 165, 134)),
    ("IV", (180, 130, 97)),
    ("V", (137, 93, 67)),
    ("VI", (97, 66, 50)),
)

#: The drawing is made at half size where it is smooth anyway; only grain and hairs need every pixel.
_COARSE: Final = 2

Plane = npt.NDArray[np.float32]
Rgb = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A drawn picture and what was drawn.

    Attributes:
        pixels: (960, 1280, 3) uint8 RGB.
        tone: the skin, `I` to `VI`.
        irregular: True for an uneven outline and several colours, False for a round, even mole.
    """

    pixels: Rgb
    tone: str
    irregular: bool


def draw(seed: int, number: int) -> Drawing:
    """Draw picture `number` (0 and up) of the series `seed`: the same picture for the same two.

    The tones take turns, and even and irregular lesions do. Made for the gate to pass: sharp and well lit.
    """
    rng = np.random.default_rng((seed, number))
    at = seed + number
    tone, skin_rgb = SKIN_TONES[at * 5 % len(SKIN_TONES)]
    irregular = (at + at // len(SKIN_TONES)) % 2 == 1  # the other way round in the next turn of the tones
    skin = np.array(skin_rgb, np.float32)
    picture = skin * _skin_relief(rng)[:, :, None]
    _paint_lesion(picture, skin, rng, irregular=irregular)
    large = cv2.resize(picture, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_LINEAR)
    grain = rng.integers(-6, 7, (HEIGHT_PX, WIDTH_PX), np.int8)
    # Added to all channels alike: sensor grain is grey more than coloured.
    rgb = cv2.add(cv2.convertScaleAbs(large), cv2.merge([grain.astype(np.int16)] * 3), dtype=cv2.CV_8U)
    pixels = np.asarray(rgb, np.uint8)
    _draw_hairs(pixels, skin, rng)
    _label(pixels, skin)
    return Drawing(pixels, tone, irregular)


def _noise(rng: np.random.Generator, cell_px: float) -> Plane:
    """Return smooth noise of about unit variance at the coarse size, with features of `cell_px` pixels."""
    height, width = HEIGHT_PX // _COARSE, WIDTH_PX // _COARSE
    grid = rng.standard_normal((max(2, round(height / cell_px)), max(2, round(width / cell_px))), np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _skin_relief(rng: np.random.Generator) -> Plane:
    """Return the brightness of bare skin around 1: slow shading, blotches, and the furrows between them."""
    height, width = HEIGHT_PX // _COARSE, WIDTH_PX // _COARSE
    y, x = np.ogrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
    shading = (1.04 - 0.10 * (x * x + y * y)).astype(np.float32)
    furrows = np.minimum(np.abs(_noise(rng, 7.0)), np.abs(_noise(rng, 9.0)))
    relief = shading + 0.020 * _noise(rng, 60.0) + 0.012 * _noise(rng, 3.0) + 0.010 * _noise(rng, 1.5)
    return np.asarray(relief - 0.075 * np.maximum(0.0, 0.35 - furrows), np.float32)


def _paint_lesion(picture: Plane, skin: Plane, rng: np.random.Generator, *, irregular: bool) -> None:
    """Blend one lesion into `picture`, in place, near the middle."""
    height, width = picture.shape[:2]
    centre = (width / 2 + rng.uniform(-18, 18), height / 2 + rng.uniform(-14, 14))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = x - centre[0], (y - centre[1]) * np.float32(rng.uniform(1.0, 1.18))
    distance, angle = cv2.cartToPolar(across, down)
    mean_radius = height * (rng.uniform(0.24, 0.29) if irregular else rng.uniform(0.17, 0.22))
    waves = ((2, 0.16), (3, 0.12), (5, 0.07), (8, 0.04)) if irregular else ((2, 0.05), (3, 0.02))
    radius = np.full_like(distance, mean_radius)
    for count, size in waves:
        radius += (
            mean_radius * size * rng.uniform(0.6, 1.0) * np.cos(count * angle + rng.uniform(0, 2 * np.pi))
        )
    ragged = 10.0 * _noise(rng, 12.0) + 4.0 * _noise(rng, 4.0) if irregular else 2.5 * _noise(rng, 10.0)
    edge_px = 5.0 if irregular else 9.0
    inside = 1.0 / (1.0 + np.exp(np.clip((distance - radius + ragged) / edge_px, -30, 30)))
    brown = np.array((0.62, 0.48, 0.40), np.float32) * skin
    colour = np.empty_like(picture)
    colour[:] = brown
    if irregular:
        for shade, cell in (((150, 92, 78), 60.0), ((90, 90, 102), 70.0), ((56, 34, 28), 50.0)):
            patch = 1.0 / (1.0 + np.exp(-6.0 * (_noise(rng, cell) - 0.40)))
            target = np.array(shade, np.float32) * (0.45 + 0.55 * skin.mean() / 190.0)
            colour += 0.85 * patch[:, :, None] * (target - colour)
    else:
        colour *= (1.0 - 0.10 * np.clip(1.0 - distance / radius, 0, 1))[:, :, None]
    network = np.maximum(0.0, 0.30 - np.abs(_noise(rng, 6.0)))  # the brown net of pigment along the ridges
    colour *= (1.0 + 0.03 * _noise(rng, 2.0) - 0.55 * network)[:, :, None]
    picture += inside[:, :, None].astype(np.float32) * (colour - picture)


def _draw_hairs(pixels: Rgb, skin: Plane, rng: np.random.Generator) -> None:
    colour = tuple(float(v) for v in 0.22 * skin + 8)
    along = np.linspace(0.0, 1.0, 24)[:, None]
    for _ in range(int(rng.integers(3, 7))):
        start = rng.uniform((200, 60), (1080, 900))
        heading = rng.uniform(-0.6, 0.6) + np.pi / 3
        reach = rng.uniform(180, 420) * np.array((np.cos(heading), np.sin(heading)))
        bend = rng.uniform(-70, 70) * np.array((-np.sin(heading), np.cos(heading)))
        curve = start + along * reach + 4 * along * (1 - along) * bend
        points = np.round(curve * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(pixels, [points], False, colour, int(rng.integers(1, 3)), cv2.LINE_AA, shift=4)


def _label(pixels: Rgb, skin: Plane) -> None:
    """Write SYNTHETIC up both sides, outside the central square that the network sees."""
    margin_px = (WIDTH_PX - HEIGHT_PX) // 2
    strip = np.zeros((margin_px, HEIGHT_PX), np.uint8)
    text, font, scale, thickness = "SYNTHETIC", cv2.FONT_HERSHEY_DUPLEX, 2.6, 4
    (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
    origin = ((HEIGHT_PX - width) // 2, (margin_px + height) // 2)
    cv2.putText(strip, text, origin, font, scale, 255, thickness, cv2.LINE_AA)
    ink = np.rot90(strip).astype(np.float32)[:, :, None] / 255.0 * 0.75
    shade = np.float32(255.0 if skin.mean() < 150 else 40.0)
    for side in (pixels[:, :margin_px], pixels[:, -margin_px:]):
        side[:] = np.round(side + ink * (shade - side)).astype(np.uint8)
