"""The strict half of the search: a proposed pair is aligned and its fine structure compared.

Alignment is affine by enhanced correlation (Evangelidis & Psarakis 2008), on the coarse band at 32 px, on the
fine band at 48 px and again at 96 px, and at each size most proposals fall. Aspect, crop and a few degrees of
turn are all found by the same step. Two photographs of one lesion agree in the coarse band; only copies of
one photograph agree in hairs, dots and network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge_training.audit.frames import FRAME_PX, FloatArray, Frames, Int8Array, orient
from skin_edge_training.audit.search import Candidates, shrink

SMALL_PX, MIDDLE_PX = 32, 48
MIN_SMALL_CORRELATION = 0.77
MIN_MIDDLE_CORRELATION = 0.48
#: The fine band loses contrast when it is halved; this keeps its int8 steps in use.
MIDDLE_GAIN = 1.5
BLOCK_PX = 12
#: With fewer blocks of visible overlap than this there is too little to decide on.
MIN_BLOCKS = 10

Warp = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """ "`b`, oriented, lies in `a` as the warp says", the warp a (2, 3) between unit squares."""

    a: int
    b: int
    orientation: int
    warp: Warp
    correlation: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the oriented frame of `b` lies in the frame of `a`, and how well they agree there.

    Attributes:
        a, b, orientation: which pictures, and how `b` is turned.
        warp: (2, 3) from the oriented b to a, both in parts of their frame.
        fine: correlation in the fine band over the visible overlap, -1 to 1.
        blocks: median of that correlation over 12 px blocks.
    """

    a: int
    b: int
    orientation: int
    warp: Warp
    fine: float
    blocks: float

    @property
    def agreement(self) -> float:
        """The lower of the two correlations."""
        return min(self.fine, self.blocks)

    @property
    def skew(self) -> float:
        """How far the warp turns or shears the frame, as a tangent; 0 for a crop or a squash."""
        (a, b), (c, d) = self.warp[0, :2].tolist(), self.warp[1, :2].tolist()
        return max(abs(b / d), abs(c / a)) if a and d else float("inf")


class Verifier:
    """Decides about pairs of pictures, given their frames."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._small = as_int8(shrink(frames.coarse, SMALL_PX))
        self._middle = as_int8(shrink(frames.fine, MIDDLE_PX) * MIDDLE_GAIN)

    def weed_out(self, candidates: Candidates, rows: range) -> list[Hypothesis]:
        """Return what of some candidates still agrees at 48 px."""
        kept = []
        for row in rows:
            x, y, width, height = (float(v) for v in candidates.box[row])
            a, b, turn = int(candidates.a[row]), int(candidates.b[row]), int(candidates.orientation[row])
            start = np.array([[width, 0.0, x], [0.0, height, y]])
            correlation, warp = refine(self._small[a], orient(self._small[b], turn), start, 4)
            if correlation >= MIN_SMALL_CORRELATION and plausible(warp):
                hypothesis = self.closer(Hypothesis(a, b, turn, warp, correlation))
                if hypothesis.correlation >= MIN_MIDDLE_CORRELATION:
                    kept.append(hypothesis)
        return kept

    def closer(self, guess: Hypothesis) -> Hypothesis:
        """Return a hypothesis after alignment of the fine bands at 48 px; correlation -1 where it broke."""
        moving = orient(self._middle[guess.b], guess.orientation)
        correlation, warp = refine(self._middle[guess.a], moving, guess.warp, 4)
        if not plausible(warp):
            correlation = -1.0
        return Hypothesis(guess.a, guess.b, guess.orientation, warp, correlation)

    def measure(self, hypothesis: Hypothesis) -> Alignment:
        """Align at 96 px and measure the agreement over what both pictures show."""
        a, b, turn = hypothesis.a, hypothesis.b, hypothesis.orientation
        target, moving = self._frames.fine[a], orient(self._frames.fine[b], turn)
        _, warp = refine(target, moving, hypothesis.warp, 8)
        if not plausible(warp):
            warp = hypothesis.warp
        pixels, size = to_pixels(warp, FRAME_PX), (FRAME_PX, FRAME_PX)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        left = np.asarray(cv2.warpAffine(target.astype(np.float32), pixels, size, flags=flags), np.float32)
        seen = cv2.warpAffine(self._frames.visible(a), pixels, size, flags=flags) > 0.99
        inside = seen & (orient(self._frames.visible(b), turn) > 0)
        fine, blocks = agreement(left, np.asarray(moving, np.float32), inside)
        return Alignment(a, b, turn, warp, fine, blocks)


def best_hypotheses(found: Iterable[Hypothesis]) -> list[Hypothesis]:
    """Return the best hypothesis about each unordered pair of pictures, in the order of the pairs."""
    best: dict[tuple[int, int], Hypothesis] = {}
    for one in found:
        pair = (min(one.a, one.b), max(one.a, one.b))
        if pair not in best or one.correlation > best[pair].correlation:
            best[pair] = one
    return [best[pair] for pair in sorted(best)]


def refine(target: Int8Array, moving: Int8Array, start: Warp, steps: int) -> tuple[float, Warp]:
    """Return correlation and warp after at most `steps` of alignment; correlation -1 where it diverged."""
    size_px = target.shape[-1]
    no_mask: Any = None  # allowed, and unknown to OpenCV's stubs
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, steps, 1e-3)
    try:
        correlation, pixels = cv2.findTransformECC(
            np.ascontiguousarray(moving, np.float32),
            np.asarray(target, np.float32),
            to_pixels(start, size_px),
            cv2.MOTION_AFFINE,
            criteria,
            no_mask,
            1,
        )
    except cv2.error:  # OpenCV's way to say that the two have nothing in common
        return -1.0, start
    return float(correlation), to_unit(np.asarray(pixels, np.float32), size_px)


def plausible(warp: Warp) -> bool:
    """True where a warp is a crop and a squash: no strong shear, no collapse, no mirror."""
    (a, b), (c, d) = warp[0, :2].tolist(), warp[1, :2].tolist()
    area, power = a * d - b * c, a * a + b * b + c * c + d * d
    if not 0.2 < area < 2.5:
        return False
    # Ratio of the singular values s, t: (s / t + t / s) = power / area.
    return bool(power / area < 1.5 + 1 / 1.5)


def to_pixels(warp: Warp, size_px: int) -> npt.NDArray[np.float32]:
    """Return a warp between unit squares as one between pixel centres of frames of `size_px`."""
    shift = size_px * warp[:, 2] + 0.5 * warp[:, :2].sum(axis=1) - 0.5
    return np.column_stack([warp[:, :2], shift]).astype(np.float32)


def to_unit(pixels: npt.NDArray[np.float32], size_px: int) -> Warp:
    """Undo `to_pixels`."""
    matrix = np.asarray(pixels, np.float64)
    shift = (matrix[:, 2] + 0.5 - 0.5 * matrix[:, :2].sum(axis=1)) / size_px
    return np.column_stack([matrix[:, :2], shift])


def agreement(left: FloatArray, right: FloatArray, inside: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the correlation of two planes where `inside`, and its median over blocks that lie inside.

    The median is there so that one strong edge cannot decide. Both are 0 where there is too little to see.
    """
    count = FRAME_PX // BLOCK_PX

    def blocks(plane: npt.NDArray[np.float32]) -> FloatArray:
        tiles = plane.reshape(count, BLOCK_PX, count, BLOCK_PX).swapaxes(1, 2)
        return np.asarray(tiles.reshape(count * count, -1), np.float32)

    whole = blocks(inside.astype(np.float32)).mean(axis=1) > 0.8
    if whole.sum() < MIN_BLOCKS:
        return 0.0, 0.0
    a, b = left[inside], right[inside]
    a, b = a - a.mean(), b - b.mean()
    fine = float(a @ b / max(float(np.sqrt((a @ a) * (b @ b))), 1e-6))
    p, q = blocks(left)[whole], blocks(right)[whole]
    p, q = p - p.mean(axis=1, keepdims=True), q - q.mean(axis=1, keepdims=True)
    power = np.sqrt((p * p).sum(axis=1) * (q * q).sum(axis=1))
    return fine, float(np.median((p * q).sum(axis=1) / np.maximum(power, 1e-6)))


def as_int8(planes: FloatArray) -> Int8Array:
    """Return planes rounded to int8."""
    return np.clip(np.rint(planes), -127, 127).astype(np.int8)
