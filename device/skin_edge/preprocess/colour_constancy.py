"""Stage 4: take the colour of the light out of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.preprocess.rgb import Rgb, require_rgb
from skin_edge.preprocess.spec import ColourConstancy


class ColourBalancer:
    """Shades of grey with the powers of the 256 grey levels in a table."""

    def __init__(self, spec: ColourConstancy) -> None:
        self._spec = spec
        self._levels = np.arange(256, dtype=np.float64)
        # Scaled to 0..1 first: 255 to the 16th would leave no precision for the dark levels.
        self._powers = (self._levels / 255.0) ** spec.minkowski_p

    def gains(self, rgb: Rgb) -> npt.NDArray[np.float64]:
        """Return the factor of each channel, (3,) float64, within 1/max_gain to max_gain.

        A grey illuminant gives ones. A channel without any light gets the largest factor, a black image ones.

        Raises:
            ImageError: not a non-empty (H, W, 3) uint8 array.
        """
        image = np.ascontiguousarray(require_rgb(rgb))
        # The mean of x**p over pixels is a sum over the histogram: exact for uint8, and 256 products.
        counts = np.stack([cv2.calcHist([image], [c], None, [256], [0, 256]).ravel() for c in range(3)])
        means = counts.astype(np.float64) @ self._powers / (image.size / 3)
        illuminant = means ** (1.0 / self._spec.minkowski_p)
        white = np.sqrt(np.mean(illuminant**2))
        if white == 0.0:
            return np.ones(3)
        limit = self._spec.max_gain
        return np.asarray(np.clip(white / np.maximum(illuminant, white / limit), 1.0 / limit, limit))

    def __call__(self, rgb: Rgb) -> Rgb:
        """Return a new (H, W, 3) uint8 array as under a neutral light."""
        gains = self.gains(rgb)
        table = np.rint(np.minimum(self._levels[:, None] * gains, 255.0)).astype(np.uint8)
        return np.asarray(cv2.LUT(np.ascontiguousarray(rgb), table[:, None, :]), np.uint8)


def balance_colour(rgb: Rgb, spec: ColourConstancy) -> Rgb:
    """Scale each channel so that the illuminant becomes grey (shades of grey, Finlayson & Trezzi 2004).

    The illuminant is the Minkowski mean of order p of each channel: p = 1 is grey world, a large p
    approaches white patch. Its length is kept, so the picture gets neither brighter nor darker.

    Args:
        rgb: (H, W, 3) uint8, any strides; not modified.
        spec: the order p, and the bound on how far a channel may be scaled.

    Returns:
        A new (H, W, 3) uint8 array; values above 255 are clipped.

    Raises:
        ImageError: not a non-empty (H, W, 3) uint8 array.
    """
    return ColourBalancer(spec)(rgb)
