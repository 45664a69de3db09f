"""The bilateral filter in whole numbers, so that every machine gives the same bits.

OpenCV's own sums floats in an order that changed between its releases: one grey level here and there, which
contrast enhancement then makes several of.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.preprocess.rgb import Rgb, require_rgb

# A float32 holds whole numbers exactly up to here; no sum of weight times grey level may pass it.
_EXACT = 2**24
_MEAN_OF_CHANNELS = np.full((3, 3), 1.0 / 3.0)


class BilateralFilter:
    """Averages over a disc, each pixel weighted by nearness in place and in colour (Tomasi & Manduchi 1998).

    Nearness in colour is a Gaussian of the mean absolute difference of the three channels; nearness in place
    is one whose sigma follows from the width of the disc as in OpenCV's Gaussian kernels.

    Args:
        kernel_px: width of the disc, odd.
        sigma_colour: in grey levels.
    """

    def __init__(self, kernel_px: int, sigma_colour: float) -> None:
        self._radius = kernel_px // 2
        sigma_px = 0.3 * ((kernel_px - 1) * 0.5 - 1) + 0.8
        reach = range(-self._radius, self._radius + 1)
        disc = [(y, x) for y in reach for x in reach if y * y + x * x <= self._radius**2]
        near = np.array([np.exp(-(y * y + x * x) / (2 * sigma_px**2)) for y, x in disc])
        alike = np.exp(-((np.arange(256) / sigma_colour) ** 2) / 2)
        # Rounding adds half to each weight at most: leave room for it.
        scale = (_EXACT / 255 - len(disc)) / near.sum()
        tables = np.rint(scale * near[:, None] * alike).astype(np.float32)
        self._weights = list(zip(disc, tables, strict=True))

    def __call__(self, rgb: Rgb) -> Rgb:
        """Return a new (H, W, 3) uint8 array, smoothed within its borders.

        Args:
            rgb: (H, W, 3) uint8, any strides; not modified.

        Raises:
            ImageError: not a non-empty (H, W, 3) uint8 array.
        """
        image = np.ascontiguousarray(require_rgb(rgb))
        height, width = image.shape[:2]
        r = self._radius
        padded = np.asarray(cv2.copyMakeBorder(image, r, r, r, r, cv2.BORDER_REFLECT_101), np.uint8)
        padded_float = padded.astype(np.float32)
        total = np.zeros(image.shape, np.float32)
        weight_sum = np.zeros(image.shape, np.float32)
        for (y, x), table in self._weights:
            window = (slice(r + y, r + y + height), slice(r + x, r + x + width))
            weight = _weigh(image, padded[window], table)
            cv2.accumulateProduct(padded_float[window], weight, total)
            cv2.accumulate(weight, weight_sum)
        # NumPy divides as IEEE 754 says; OpenCV may take a reciprocal that is only near.
        return np.asarray(np.rint(total / weight_sum), np.uint8)


def _weigh(
    image: Rgb, neighbour: npt.NDArray[np.uint8], table: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    difference = cv2.transform(cv2.absdiff(image, neighbour), _MEAN_OF_CHANNELS)
    return np.asarray(cv2.LUT(difference, table), np.float32)
