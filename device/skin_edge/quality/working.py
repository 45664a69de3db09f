"""The part of a frame that the network sees, at a size at which measuring it is cheap."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.preprocess.crop_resize import central_square
from skin_edge.preprocess.rgb import Rgb

#: The central square is halved until its side is below this, then measured: at 160 to 319 pixels, or as it
#: is where it is smaller. Other factors than two would cost more than all the rest and colour the noise.
WORKING_LIMIT_PX: Final = 320

Grey = npt.NDArray[np.uint8]


def working_square(rgb: Rgb) -> Rgb:
    """Return the central square, halved to the working size.

    Args:
        rgb: (H, W, 3) uint8, any strides; not modified.

    Returns:
        (s, s, 3) uint8, contiguous, with s below `WORKING_LIMIT_PX`; a view of `rgb` where that fits.
    """
    square = central_square(rgb, 1.0)
    turned = square.strides[2] < 0  # BGR memory seen as RGB: OpenCV would copy it pixel by pixel
    if turned:
        square = square[:, :, ::-1]
    if square.strides[2] != 1 or square.strides[1] != 3 or square.strides[0] < 0:
        square = np.ascontiguousarray(square)
    while square.shape[0] >= WORKING_LIMIT_PX:
        half = square.shape[0] // 2
        square = np.asarray(
            cv2.resize(square[: 2 * half, : 2 * half], (half, half), interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.ascontiguousarray(square[:, :, ::-1] if turned else square)


def luma(square: Rgb) -> Grey:
    """Return the luma (BT.601) of a picture, (H, W) uint8."""
    return np.asarray(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), np.uint8)
