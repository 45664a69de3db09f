"""How a picture is lit: brightness, what is lost in black and white, and highlights that hide the lesion."""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.preprocess.rgb import Rgb
from skin_edge.quality.working import Grey

#: Grey levels up to and from which a pixel counts as without detail.
_BLACK: Final = 5
_WHITE: Final = 250

#: A highlight, at `GLARE_SIDE_PX` pixels a side: every channel at least this bright, and this much above what
#: lies within half the kernel's width around it. Skin that is bright all over is not glare.
GLARE_SIDE_PX: Final = 64
_GLARE_LEVEL: Final = 245
_GLARE_STEP: Final = 40
_GLARE_KERNEL_PX: Final = 25

#: Part of the side within which a highlight lies on the lesion, as a radius.
_GLARE_RADIUS: Final = 0.42


def exposure(grey: Grey) -> dict[str, float]:
    """Return mean and 95th percentile of luma, and the fractions without detail in shadow and light.

    Args:
        grey: (H, W) uint8 luma.
    """
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64) / grey.size
    return {
        "luma_mean": float(counts @ np.arange(256)),
        "luma_p95": float(np.searchsorted(np.cumsum(counts), 0.95 - 1e-9)),
        "black_fraction": float(counts[: _BLACK + 1].sum()),
        "white_fraction": float(counts[_WHITE:].sum()),
    }


def glare_fraction(small: Rgb) -> float:
    """Return the part of the central disc that lies under highlights, 0 to 1.

    A specular highlight has the colour of the lamp, so all channels saturate, and it is small: a white top
    hat (Serra 1982) keeps what is brighter than its surround and narrower than the kernel.

    Args:
        small: (64, 64, 3) uint8 RGB.
    """
    darkest = cv2.min(cv2.min(small[:, :, 0], small[:, :, 1]), small[:, :, 2])
    kernel, disc, disc_px = _shapes()
    step = cv2.subtract(darkest, cv2.morphologyEx(darkest, cv2.MORPH_OPEN, kernel))
    glare = (darkest >= _GLARE_LEVEL) & (step >= _GLARE_STEP) & disc
    return np.count_nonzero(glare) / disc_px


@cache
def _shapes() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], int]:
    offset = np.arange(GLARE_SIDE_PX) - (GLARE_SIDE_PX - 1) / 2
    disc = np.hypot(offset[:, None], offset[None, :]) <= _GLARE_RADIUS * GLARE_SIDE_PX
    return np.ones((_GLARE_KERNEL_PX, _GLARE_KERNEL_PX), np.uint8), disc, int(disc.sum())
