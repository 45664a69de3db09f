"""Stage 1: the central square of a frame, at the size of the network's input."""

from __future__ import annotations

import cv2
import numpy as np

from skin_edge.preprocess.rgb import Rgb, require_rgb
from skin_edge.preprocess.spec import CropResize

#: One over this is the part of a pixel of the result that may be left out for the sake of halving.
MOST_LEFT_OUT = 16


def crop_and_resize(rgb: Rgb, spec: CropResize) -> Rgb:
    """Cut the central square and bring it to the network's size by averaging areas.

    A large square is halved with the exact 2x2 mean, as often as that leaves at least twice the target, then
    one area interpolation does the rest: within two grey levels of a single area interpolation on smooth
    images, at a third of its cost for a 1080-line frame. A side that halving does not fit is halved less
    often, unless what is left out is a sixteenth of a pixel of the result or less. Where the square is
    smaller than the target it is enlarged bilinearly, since enlarging by area repeats pixels.

    Args:
        rgb: (H, W, 3) uint8, any strides; not modified.
        spec: the side of the square and the size to bring it to.

    Returns:
        A new (size_px, size_px, 3) uint8 array.

    Raises:
        ImageError: not a non-empty (H, W, 3) uint8 array.
    """
    square = central_square(require_rgb(rgb), spec.crop_fraction)
    # A BGR frame seen as RGB has a negative channel stride: resize its own memory and turn the small result.
    if square.strides[2] < 0:
        square = _resize(square[:, :, ::-1], spec.size_px)[:, :, ::-1]
        return np.ascontiguousarray(square)
    return _resize(square, spec.size_px)


def central_square(rgb: Rgb, crop_fraction: float) -> Rgb:
    """Return a view of the central square whose side is `crop_fraction` of the shorter side.

    Where it cannot be central to the pixel, it lies half a pixel to the top left.
    """
    height, width = rgb.shape[:2]
    side = max(1, round(min(height, width) * crop_fraction))
    top, left = (height - side) // 2, (width - side) // 2
    return rgb[top : top + side, left : left + side]


def _resize(square: Rgb, size_px: int) -> Rgb:
    if square.strides[2] != 1 or square.strides[1] != 3 or square.strides[0] < 0:
        square = np.ascontiguousarray(square)
    # Halving by exactly two takes OpenCV's vector path; a fractional factor costs eight times as much.
    side = square.shape[0]
    halvings = max(0, (side // size_px).bit_length() - 2)
    while (side % (1 << halvings)) * size_px * MOST_LEFT_OUT > side:
        halvings -= 1
    margin = (side % (1 << halvings)) // 2
    side >>= halvings
    square = square[margin : margin + (side << halvings), margin : margin + (side << halvings)]
    for step in reversed(range(halvings)):
        square = _interpolate(square, side << step, cv2.INTER_AREA)
    if side == size_px:
        return np.array(square, order="C")
    return _interpolate(square, size_px, cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR)


def _interpolate(square: Rgb, side_px: int, method: int) -> Rgb:
    return np.asarray(cv2.resize(square, (side_px, side_px), interpolation=method), np.uint8)
