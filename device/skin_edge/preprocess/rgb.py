"""What every stage asks of its input, checked in one place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skin_edge.errors import ImageError

Rgb = npt.NDArray[np.uint8]


def require_rgb(image: object, size_px: int | None = None) -> Rgb:
    """Return `image`, a non-empty (H, W, 3) uint8 array of any strides, unchanged.

    Args:
        image: the array to check.
        size_px: where given, the height and the width that the array must have.

    Raises:
        ImageError: another type, shape or dtype, with what was expected and what came.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(
            f"expected an (H, W, 3) uint8 RGB array, got {type(image).__name__}", code="image-shape"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(
            f"expected a non-empty (H, W, 3) uint8 RGB image, got shape {image.shape} of {image.dtype}",
            code="image-shape",
        )
    if size_px is not None and image.shape[:2] != (size_px, size_px):
        raise ImageError(
            f"expected an image of {size_px}x{size_px} pixels, got {image.shape[1]}x{image.shape[0]}: "
            "enable crop_resize or resize before",
            code="image-shape",
        )
    return image
