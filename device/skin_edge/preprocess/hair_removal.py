"""Stage 2: take thin dark hairs out, so that the network does not read them as structure."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.preprocess.rgb import Rgb, require_rgb
from skin_edge.preprocess.spec import HairRemoval

DIRECTIONS = 24
_METHODS = {"ns": cv2.INPAINT_NS, "telea": cv2.INPAINT_TELEA}


class HairRemover:
    """The kernels of a spec, made once, and the inpainting that follows."""

    def __init__(self, spec: HairRemoval) -> None:
        self._spec = spec
        self._kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (spec.kernel_px, spec.kernel_px))
        self._lines = [_line(2 * spec.kernel_px - 1, np.pi * i / DIRECTIONS) for i in range(DIRECTIONS)]
        self._rim = np.ones((3, 3), np.uint8)

    def mask(self, rgb: Rgb) -> npt.NDArray[np.uint8]:
        """Return where hair is, (H, W) uint8 of 0 and 255.

        Raises:
            ImageError: not a non-empty (H, W, 3) uint8 array.
        """
        grey = cv2.cvtColor(np.ascontiguousarray(require_rgb(rgb)), cv2.COLOR_RGB2GRAY)
        response = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, self._kernel)
        _, dark = cv2.threshold(response, self._spec.threshold, 255, cv2.THRESH_BINARY)
        strands = np.zeros(grey.shape, np.uint8)
        if cv2.countNonZero(dark) == 0:
            return strands
        for line in self._lines:
            cv2.bitwise_or(strands, cv2.morphologyEx(dark, cv2.MORPH_OPEN, line), strands)
        # The half-dark pixels along a hair fall under the threshold and would bleed into what is filled in.
        return np.asarray(cv2.dilate(strands, self._rim), np.uint8)

    def __call__(self, rgb: Rgb) -> Rgb:
        """Return a new (H, W, 3) uint8 array with the hair filled in from its surroundings."""
        mask = self.mask(rgb)
        covered = cv2.countNonZero(mask)
        if covered == 0 or covered > self._spec.max_coverage * mask.size:
            return np.array(rgb, order="C")
        image = np.ascontiguousarray(rgb)
        return np.asarray(
            cv2.inpaint(image, mask, self._spec.radius_px, _METHODS[self._spec.inpaint]), np.uint8
        )


def remove_hair(rgb: Rgb, spec: HairRemoval) -> Rgb:
    """Find dark strands thinner than the kernel by black-hat morphology and inpaint them.

    After DullRazor (Lee et al. 1997), with one round kernel in place of its three line kernels. Anything
    wider than the kernel, a lesion above all, gives no response; of what does, only pixels on a straight run
    of twice the kernel are hair, so that the dots and the net of pigment inside a lesion stay. Filled in by
    Navier-Stokes (Bertalmio et al. 2001) or fast marching (Telea 2004). Meant for images at the network's
    size: the kernel is in pixels of the image that it gets.

    Args:
        rgb: (H, W, 3) uint8, any strides; not modified.
        spec: kernel, threshold and inpainting.

    Returns:
        A new (H, W, 3) uint8 array; equal to the input where nothing was found, or where so much was found
        that it cannot be hair.

    Raises:
        ImageError: not a non-empty (H, W, 3) uint8 array.
    """
    return HairRemover(spec)(rgb)


def _line(length_px: int, angle: float) -> npt.NDArray[np.uint8]:
    centre = length_px // 2
    steps = np.arange(-centre, centre + 1)
    line = np.zeros((length_px, length_px), np.uint8)
    line[
        np.rint(centre + steps * np.sin(angle)).astype(int),
        np.rint(centre + steps * np.cos(angle)).astype(int),
    ] = 1
    return line
