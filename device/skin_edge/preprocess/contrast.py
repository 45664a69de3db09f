"""Stage 5: even out lightness and lift local contrast, with colour left alone."""

from __future__ import annotations

import cv2
import numpy as np

from skin_edge.preprocess.rgb import Rgb, require_rgb
from skin_edge.preprocess.spec import Contrast


class ContrastEnhancer:
    """The equaliser of a spec, made once. It keeps buffers between calls: one thread at a time."""

    def __init__(self, spec: Contrast) -> None:
        self._equaliser = cv2.createCLAHE(spec.clip_limit, (spec.tiles, spec.tiles))

    def __call__(self, rgb: Rgb) -> Rgb:
        """Return a new (H, W, 3) uint8 array with L* equalised and a*, b* as they were."""
        lab = cv2.cvtColor(np.ascontiguousarray(require_rgb(rgb)), cv2.COLOR_RGB2LAB)
        cv2.insertChannel(self._equaliser.apply(cv2.extractChannel(lab, 0)), lab, 0)
        return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def enhance_contrast(rgb: Rgb, spec: Contrast) -> Rgb:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994) of CIE L*.

    Args:
        rgb: (H, W, 3) uint8, any strides; not modified.
        spec: the limit on the slope of each tile's curve, and the tiles along a side.

    Returns:
        A new (H, W, 3) uint8 array.

    Raises:
        ImageError: not a non-empty (H, W, 3) uint8 array.
    """
    return ContrastEnhancer(spec)(rgb)
