"""Stage 3: take sensor noise out."""

from __future__ import annotations

import cv2
import numpy as np

from skin_edge.preprocess.bilateral import BilateralFilter
from skin_edge.preprocess.rgb import Rgb, require_rgb
from skin_edge.preprocess.spec import Denoise


class Denoiser:
    """The filter of a spec with its tables made once."""

    def __init__(self, spec: Denoise) -> None:
        self._kernel_px = spec.kernel_px
        self._bilateral = (
            BilateralFilter(spec.kernel_px, spec.sigma_colour) if spec.method == "bilateral" else None
        )

    def __call__(self, rgb: Rgb) -> Rgb:
        """Return a new (H, W, 3) uint8 array with less noise."""
        if self._bilateral is not None:
            return self._bilateral(rgb)
        return np.asarray(cv2.medianBlur(np.ascontiguousarray(require_rgb(rgb)), self._kernel_px), np.uint8)


def denoise(rgb: Rgb, spec: Denoise) -> Rgb:
    """Return a new (H, W, 3) uint8 array with less noise.

    The median (Tukey 1977) takes single wrong pixels out; the bilateral filter (Tomasi & Manduchi 1998)
    averages neighbours of like colour, so that the border of a lesion stays.

    Args:
        rgb: (H, W, 3) uint8, any strides; not modified.
        spec: the filter, its width in pixels and, for the bilateral one, its sigma in grey levels.

    Raises:
        ImageError: not a non-empty (H, W, 3) uint8 array.
    """
    return Denoiser(spec)(rgb)
