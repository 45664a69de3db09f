"""Stage 6: grey levels to the range that the network was trained on."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.errors import ImageError
from skin_edge.preprocess.rgb import Rgb, require_rgb
from skin_edge.preprocess.spec import Normalisation

Tensor = npt.NDArray[np.float32]


class Normaliser:
    """(x - mean) / std per channel, read from a table of the 256 grey levels.

    The table is computed once in double precision, so the same image gives the same bits on every machine.
    """

    def __init__(self, spec: Normalisation) -> None:
        levels = np.arange(256, dtype=np.float64)[:, None, None]
        if spec.enabled:
            levels = (levels - np.array(spec.mean)) / np.array(spec.std)
        self._table = np.ascontiguousarray(np.broadcast_to(levels, (256, 1, 3)), dtype=np.float32)

    def __call__(self, rgb: Rgb, out: Tensor | None = None) -> Tensor:
        """Return the (H, W, 3) float32 tensor of `rgb`, in `out` where one is given.

        Args:
            rgb: (H, W, 3) uint8, any strides; not modified.
            out: C-contiguous (H, W, 3) float32, for example the input of the network.

        Raises:
            ImageError: `rgb` or `out` of another shape, type or layout.
        """
        image = np.ascontiguousarray(require_rgb(rgb))
        if out is None:
            out = np.empty(image.shape, np.float32)
        elif out.shape != image.shape or out.dtype != np.float32 or not out.flags.carray:
            raise ImageError(
                f"expected a writable, C-contiguous {image.shape} float32 array to write to, "
                f"got shape {out.shape} of {out.dtype}",
                code="image-shape",
            )
        cv2.LUT(image, self._table, out)
        return out


def normalise(rgb: Rgb, spec: Normalisation, out: Tensor | None = None) -> Tensor:
    """Return (x - mean) / std per channel, or the grey levels themselves where the stage is off.

    Args:
        rgb: (H, W, 3) uint8, any strides; not modified.
        spec: mean and standard deviation of each channel, in grey levels.
        out: C-contiguous (H, W, 3) float32 to write to; a new array where none is given.

    Raises:
        ImageError: `rgb` or `out` of another shape, type or layout.
    """
    return Normaliser(spec)(rgb, out)
