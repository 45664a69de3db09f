"""A picture as the search sees it: squashed to a square, band-passed, with its contrast evened out.

Squashing makes a 4:3 original and its square copy the same frame; the band keeps what survives another JPEG
quality, brightness or contrast and drops the shading that all lesions share. All eight orientations of a
square frame are again square frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

#: Side of the square frames; fine enough for hairs and pigment network, coarse enough for 150 px originals.
FRAME_PX = 96

#: Frames are kept as int8: the band-passed value in units of the local standard deviation, times this.
INT8_SCALE = 24.0

ORIENTATIONS = 8

#: A surround is at most this part of the picture's range above its darkest pixel, and this flat;
#: its soft rim reaches this far into the picture.
DARK, FLAT = 0.2, 0.1
RIM_PX = 6

Int8Array = npt.NDArray[np.int8]
FloatArray = npt.NDArray[np.float32]
Uint8Array = npt.NDArray[np.uint8]
Pixel = TypeVar("Pixel", bound=np.generic)


def squash(rgb: Uint8Array) -> Uint8Array:
    """Return (96, 96) uint8 grey of an (H, W, 3) uint8 RGB picture, whatever its aspect."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (FRAME_PX, FRAME_PX), interpolation=cv2.INTER_AREA), np.uint8)


def visible_part(grey: Uint8Array) -> FloatArray:
    """Return (96, 96) float32: 1 where the picture shows something, 0 in a dark flat surround.

    The round field of view of a dermatoscope is alike in thousands of pictures; its rim must not count.
    All bounds are relative to the picture's own range, so that a brighter copy has the same surround.
    """
    darkest, bright = float(grey.min()), float(np.percentile(grey, 95))
    level = bright - darkest
    window = np.ones((5, 5), np.uint8)
    spread = cv2.subtract(cv2.dilate(grey, window), cv2.erode(grey, window))
    surround = ((grey <= darkest + DARK * level) & (spread <= FLAT * level)).astype(np.uint8)
    labels = cv2.connectedComponents(surround, connectivity=4)[1]
    # A lesion may reach the border; a round field of view leaves out corners.
    corners = {int(labels[y, x]) for y in (0, -1) for x in (0, -1)} - {0}
    outside = np.isin(labels, list(corners)).astype(np.uint8)
    if not outside.any():
        return np.ones(grey.shape, np.float32)
    rim = cv2.dilate(outside, np.ones((2 * RIM_PX + 1, 2 * RIM_PX + 1), np.uint8))
    return np.asarray(1 - rim, np.float32)


def band(grey: Uint8Array, visible: FloatArray, inner_px: float, outer_px: float, noise: float) -> FloatArray:
    """Return (96, 96) float32: difference of Gaussians over its local standard deviation.

    Args:
        grey: (96, 96) uint8.
        visible: its `visible_part`; the rest neither counts nor bleeds in (normalised convolution,
            Knutsson & Westin 1993) and is 0.
        inner_px: sigma of the narrower Gaussian.
        outer_px: sigma of the wider Gaussian.
        noise: standard deviation, in grey levels, below which a region counts as flat.
    """

    def blur(plane: FloatArray, sigma: float) -> FloatArray:
        if whole:
            return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
        weight = np.maximum(cv2.GaussianBlur(visible, (0, 0), sigma), 1e-3)
        return np.asarray(cv2.GaussianBlur(plane * visible, (0, 0), sigma) / weight, np.float32)

    whole = bool(visible.all())
    picture = np.asarray(grey, np.float32)
    detail = (blur(picture, inner_px) - blur(picture, outer_px)) * visible
    power = blur(detail * detail, 1.5 * outer_px)
    return np.asarray(detail / np.sqrt(power + noise * noise), np.float32)


def coarse_band(grey: Uint8Array, visible: FloatArray) -> FloatArray:
    """Structure of 4 to 16 px: what the search and the alignment look at."""
    return band(grey, visible, 2.0, 8.0, 2.0)


def fine_band(grey: Uint8Array, visible: FloatArray) -> FloatArray:
    """Structure of 1 to 6 px: hairs, network, dots; what tells two photographs of one lesion apart."""
    return band(grey, visible, 0.8, 3.0, 1.5)


@dataclass(frozen=True, slots=True)
class Frames:
    """What the search keeps of N pictures.

    Attributes:
        coarse, fine: (N, 96, 96) int8 planes of the two bands.
        seen: (N, 1152) uint8, `visible_part` as packed bits.
    """

    coarse: Int8Array
    fine: Int8Array
    seen: Uint8Array

    @classmethod
    def of(cls, greys: Sequence[Uint8Array], pool: Executor) -> Frames:
        """Make the frames of (96, 96) grey pictures."""
        count = len(greys)
        coarse = np.empty((count, FRAME_PX, FRAME_PX), np.int8)
        fine = np.empty_like(coarse)
        seen = np.empty((count, FRAME_PX * FRAME_PX // 8), np.uint8)

        def fill(row: int) -> None:
            visible = visible_part(greys[row])
            coarse[row] = to_int8(coarse_band(greys[row], visible))
            fine[row] = to_int8(fine_band(greys[row], visible))
            seen[row] = np.packbits(visible.astype(bool).ravel())

        list(pool.map(fill, range(count)))
        return cls(coarse, fine, seen)

    def visible(self, row: int) -> FloatArray:
        """Return (96, 96) float32: 1 where picture `row` shows something."""
        return np.unpackbits(self.seen[row]).reshape(FRAME_PX, FRAME_PX).astype(np.float32)


def to_int8(plane: FloatArray) -> Int8Array:
    """Return the plane in int8 steps of 1/24 local standard deviation."""
    return np.asarray(np.clip(np.rint(plane * INT8_SCALE), -127, 127), np.int8)


def orient(frames: npt.NDArray[Pixel], orientation: int) -> npt.NDArray[Pixel]:
    """Return (..., S, S) frames turned by `orientation % 4` quarter turns, then mirrored from 4 on."""
    turned = np.rot90(frames, orientation % 4, axes=(-2, -1))
    return turned[..., ::-1] if orientation >= 4 else turned
