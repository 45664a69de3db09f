"""Random views of a decoded picture: a warp, a colour matrix, now and then a dark surround, all seeded.

The warp lands on the network's input size directly, so a picture is sampled once and the device's stages
after the resize still see what they would see on a device.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge_training.config import AugmentConfig
from skin_edge_training.data.decoded import Uint8Array

#: Luma weights of Rec. 601, the grey that saturation is blended with.
LUMA = np.array([0.299, 0.587, 0.114])


def random_view(
    context: Uint8Array, size_px: int, crop_fraction: float, config: AugmentConfig, rng: np.random.Generator
) -> Uint8Array:
    """Return a (size_px, size_px, 3) uint8 view of a (H, W, 3) context picture."""
    warp = random_warp((context.shape[0], context.shape[1]), size_px, crop_fraction, config, rng)
    view = cv2.warpAffine(
        context,
        warp,
        (size_px, size_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    coloured = np.asarray(cv2.transform(view, random_colour(config, rng)), np.uint8)
    if config.surround and rng.random() < config.surround:
        return darken_surround(coloured, rng)
    return coloured


def random_warp(
    shape: tuple[int, int],
    size_px: int,
    crop_fraction: float,
    config: AugmentConfig,
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Return the (2, 3) matrix that maps view coordinates to context coordinates."""
    height, width = shape
    side = min(height, width) * crop_fraction
    zoom = np.exp(rng.uniform(-1, 1) * np.log1p(config.zoom))
    angle = rng.uniform(0, 2 * np.pi) if config.rotate else 0.0
    mirror = -1.0 if config.flip and rng.random() < 0.5 else 1.0
    scale = side * zoom / size_px
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    centre += rng.uniform(-1, 1, 2) * config.shift * side
    return np.column_stack([linear, centre - linear @ np.full(2, (size_px - 1) / 2)])


def random_colour(config: AugmentConfig, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the (3, 4) matrix of a random saturation, white balance, contrast and brightness."""
    saturation = 1 + rng.uniform(-1, 1) * config.saturation
    gains = 1 + rng.uniform(-1, 1, 3) * config.white_balance
    contrast = 1 + rng.uniform(-1, 1) * config.contrast
    brightness = 1 + rng.uniform(-1, 1) * config.brightness
    matrix = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    matrix = np.diag(gains * contrast * brightness) @ matrix
    offset = 128.0 * (1 - contrast) * brightness
    return np.column_stack([matrix, np.full(3, offset)])


def darken_surround(view: Uint8Array, rng: np.random.Generator) -> Uint8Array:
    """Return a (S, S, 3) view as through a round field of view, dark outside, its edge sharp or soft.

    A network that has only seen full frames takes such a surround for part of the lesion.
    """
    side = len(view)
    radius = rng.uniform(0.40, 0.62) * side
    across, down = (0.5 + rng.normal(0.0, 0.04, 2)) * side
    softness = rng.choice([0.0, 0.01, 0.03]) * side
    dark = rng.uniform(0.0, 30.0)
    field: cv2.typing.MatLike = np.zeros((side, side), np.float32)
    # Four bits of the coordinates are fractions of a pixel, so that views of any size show one circle.
    centre = (round(across * 16), round(down * 16))
    cv2.circle(field, centre, round(radius * 16), 1.0, cv2.FILLED, cv2.LINE_8, 4)
    if softness:
        field = cv2.GaussianBlur(field, (0, 0), softness)
    return np.asarray(np.round(dark + (view - dark) * field[..., None]), np.uint8)
