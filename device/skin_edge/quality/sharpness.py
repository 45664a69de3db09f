"""How sharp a picture is in its least and in its most sharp direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from skin_edge.quality.working import Grey

#: White noise of variance v leaves 20 v in the Laplacian, and these shares of that, along either axis, in
#: the gradient of the Laplacian of Gaussian of one and of two pixels: the energy of the filter's impulse
#: response over 20.
_NOISE_SHARE_FINE: Final = 0.136452
_NOISE_SHARE_COARSE: Final = 0.00185101

#: Keeps a picture without any structure at zero. It is the coarse energy of grey levels being whole numbers.
_STRUCTURE_FLOOR: Final = 0.02

#: Sharpness of the best direction from which on the worst can be told from it. Motion leaves it at 5 or more.
_TELLING: Final = 4.0

#: Fine energy of the best direction over that of the noise, from which on directions can be told apart.
_ABOVE_NOISE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Sharpness:
    """Sharpness by direction; skin in focus has 9 and more, a blurred picture 1 to 6.

    Attributes:
        least: along the direction that is blurred most.
        most: along the direction that is blurred least.
        above_noise: the greatest fine energy, as a multiple of what noise had added and was taken out.
    """

    least: float
    most: float
    above_noise: float

    @property
    def evenness(self) -> float:
        """`least` over `most`: near 1 where a picture is out of focus, near 0.5 where it is smeared.

        1 where no direction is sharp enough, or clear enough of noise, to tell.
        """
        telling = self.most >= _TELLING and self.above_noise >= _ABOVE_NOISE
        return self.least / self.most if telling else 1.0


def sharpness(grey: Grey) -> Sharpness:
    """Return how sharp a picture is by direction, independent of its contrast and of its noise.

    The structure tensor (Foerstner & Guelch 1987) of the Laplacian of Gaussian (Marr & Hildreth 1980) at one
    pixel over the same at two: its generalised eigenvalues are the least and the greatest ratio of fine to
    coarse energy over all directions. Blur takes from the finer first, and motion only along its direction,
    while hairs and furrows are uneven at both scales alike. Contrast cancels. What white noise adds to each
    is taken out by way of the bare Laplacian, which noise dominates wherever the picture is smooth (after
    Immerkaer 1996): without that, noise of five grey levels hides any blur.

    Args:
        grey: (H, W) uint8.

    Returns:
        Both figures; 0 for a picture without structure.
    """
    image = grey.astype(np.float32)
    bare = cv2.Laplacian(image, cv2.CV_32F)
    noise = float(cv2.norm(bare, cv2.NORM_L2SQR)) / grey.size
    fxx, fxy, fyy = _tensor(cv2.GaussianBlur(image, (7, 7), 1.0), _NOISE_SHARE_FINE * noise)
    cxx, cxy, cyy = _tensor(cv2.GaussianBlur(image, (13, 13), 2.0), _NOISE_SHARE_COARSE * noise)
    cxx, cyy = max(cxx, 0.0) + _STRUCTURE_FLOOR, max(cyy, 0.0) + _STRUCTURE_FLOOR
    determinant = max(cxx * cyy - cxy * cxy, 1e-6 * cxx * cyy)
    half_trace = (fxx * cyy + fyy * cxx - 2.0 * fxy * cxy) / determinant / 2.0
    product = (fxx * fyy - fxy * fxy) / determinant
    spread = math.sqrt(max(half_trace * half_trace - product, 0.0))
    strongest = (fxx + fyy) / 2.0 + math.hypot((fxx - fyy) / 2.0, fxy)
    return Sharpness(
        least=max(half_trace - spread, 0.0),
        most=max(half_trace + spread, 0.0),
        above_noise=max(strongest, 0.0) / (_NOISE_SHARE_FINE * noise + 1e-9),
    )


def _tensor(smoothed: cv2.typing.MatLike, noise: float) -> tuple[float, float, float]:
    """Mean xx, xy and yy products of the gradient of the Laplacian, without what noise adds."""
    laplacian = cv2.Laplacian(smoothed, cv2.CV_32F)
    along_x = cv2.Sobel(laplacian, cv2.CV_32F, 1, 0)
    along_y = cv2.Sobel(laplacian, cv2.CV_32F, 0, 1)
    size = laplacian.size
    return (
        float(cv2.norm(along_x, cv2.NORM_L2SQR)) / size - noise,
        float(np.vdot(along_x, along_y)) / size,
        float(cv2.norm(along_y, cv2.NORM_L2SQR)) / size - noise,
    )
