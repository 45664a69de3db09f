"""Is this a picture at all? What a broken camera, cable or driver sends in the place of one.

Whether a true picture is fit to classify is the quality gate's question; this one is asked in the capture
process, of every picture, so it looks at samples: 64 rows, or every eighth pixel each way.

    black    no sample above `black_level`: a covered lens, no light, or a dead sensor
    frozen   bit for bit the picture before: the sampled rows, and then a checksum of all pixels, are the
             same; so the third of a run is the first that is known. A living camera's noise excludes it
    torn     the lower end, at least a sixteenth of the height, is one single colour, neither black nor white
             (a transfer that broke off leaves grey or green there); or one row edge jumps along nine tenths
             of the width while no other edge of the picture comes near, and the picture before had none at
             that row (two pictures in one; where an edge stays, it belongs to the scene)
    garbage  one colour all over, neither black nor white; or noise: neighbouring rows differ as much as
             pixels that have nothing to do with each other

Skewed pictures (a wrong row length) are not recognised, and of two pictures in one only those that differ
much where they meet: a fifth to a third of such pairs of dermoscopic pictures.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from skin_edge.camera.driver import BadFrameError, DriverSettings, Rgb

_SAMPLED_ROWS: Final = 64
_STEP: Final = 8

#: Single colours up to here from black or white are a shadow or a burnt-out light, not a broken transfer.
_EXTREME: Final = 16

#: For independent pixels, neighbours differ by 4/3 of the mean deviation (uniform) or sqrt(2) (normal).
_NOISE_RATIO: Final = 0.9
_NOISE_MIN_STEP: Final = 24.0

_SEAM_STEP: Final = 16
_SEAM_WIDTH: Final = 0.9
_SEAM_ELSEWHERE: Final = 0.5


class FrameChecks:
    """Looks at one picture after the other; remembers samples of the one before.

    Args:
        settings: which checks, and the black level.
    """

    def __init__(self, settings: DriverSettings) -> None:
        self._settings = settings
        self._rows: npt.NDArray[np.uint8] | None = None
        self._checksum: int | None = None
        self._seam: int | None = None

    def check(self, pixels: Rgb) -> None:
        """Return where nothing speaks against the picture.

        Raises:
            BadFrameError: it must not be used.
        """
        same = self._settings.check_frozen and self._is_same(pixels)
        coarse = pixels[::_STEP, ::_STEP]
        if self._settings.check_black and int(coarse.max()) <= self._settings.black_level:
            raise BadFrameError("black", "black pictures: is the lens covered, or the light off?")
        if self._settings.check_torn:
            _check_blank(coarse)
            _check_noise(pixels)
            _check_lower_end(pixels)
            self._check_seam(pixels)
        if same:
            raise BadFrameError("frozen", "the same picture over and over, bit for bit")

    def _check_seam(self, pixels: Rgb) -> None:
        before, self._seam = self._seam, _find_seam(pixels)
        if self._seam is not None and self._seam != before:
            raise BadFrameError("torn", f"two pictures in one: they meet at row {self._seam}")

    def _is_same(self, pixels: Rgb) -> bool:
        step = max(1, pixels.shape[0] // _SAMPLED_ROWS)
        rows = pixels[::step]
        if self._rows is None or not np.array_equal(rows, self._rows):
            self._rows = rows.copy()
            self._checksum = None
            return False
        before = self._checksum
        self._checksum = zlib.adler32(pixels.data)  # only now: it takes as long as copying the picture
        return before is not None and before == self._checksum


def _is_flat(block: npt.NDArray[np.uint8]) -> bool:
    """One colour for every pixel, and not about black or white."""
    first = block[0, 0]
    if int(first.max()) <= _EXTREME or int(first.min()) >= 255 - _EXTREME:
        return False
    return bool((block == first).all())


def _check_blank(coarse: npt.NDArray[np.uint8]) -> None:
    if coarse.size >= 3 * _STEP and _is_flat(coarse):
        raise BadFrameError("garbage", f"a single colour, RGB {coarse[0, 0].tolist()}, all over the picture")


def _check_noise(pixels: Rgb) -> None:
    green = pixels[:, ::_STEP, 1]
    pairs = green[: green.shape[0] // _STEP * _STEP].reshape(-1, _STEP, green.shape[1])
    if pairs.shape[0] == 0:
        return
    upper, lower = pairs[:, 0].astype(np.float32), pairs[:, 1].astype(np.float32)
    step = float(np.abs(lower - upper).mean())
    if step >= _NOISE_MIN_STEP and step > _NOISE_RATIO * float(np.abs(upper - upper.mean()).mean()):
        raise BadFrameError("garbage", "noise in the place of a picture")


def _check_lower_end(pixels: Rgb) -> None:
    rows = max(2, pixels.shape[0] // 16)
    if pixels.shape[0] < 32:
        return
    if _is_flat(pixels[-rows:, ::_STEP]) and _is_flat(pixels[-rows:]):
        raise BadFrameError("torn", f"the picture breaks off: the last {rows} rows or more are one colour")


def _find_seam(pixels: Rgb) -> int | None:
    """Return the row below which another picture seems to begin."""
    columns = np.ascontiguousarray(pixels[:, ::_STEP, 1]).astype(np.int16)
    if columns.shape[0] < 32 or columns.shape[1] < 8:
        return None
    jumps = (np.abs(np.diff(columns, axis=0)) > _SEAM_STEP).mean(axis=1)
    at = int(jumps.argmax())
    if jumps[at] < _SEAM_WIDTH:
        return None
    jumps[at] = 0.0
    return at + 1 if float(jumps.max()) < _SEAM_ELSEWHERE * _SEAM_WIDTH else None
