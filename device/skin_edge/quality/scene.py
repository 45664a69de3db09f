"""What a picture shows, in 22 figures: colour, contrast, texture and layout of the central square.

Colours are logarithms of ratios, and luma is a logarithm from which the mean is taken: neither says how dark
the skin is. All figures come from a picture of 64 pixels a side, so that they depend on what is seen and not
on the camera's resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.preprocess.rgb import Rgb

SIDE_PX: Final = 64

#: Hairs are about a pixel wide at 64 and go in the median, lesions stay; the layout is read at half that.
_MEDIAN_PX: Final = 5
_MAP_PX: Final = 32
_SURROUND_SIGMA_PX: Final = 4.0
_SECTORS: Final = 8

#: Added to a grey level before its logarithm, so that noise in the dark does not count.
_DARK: Final = 8.0

#: Added to a contrast before its logarithm: about a third of a grey level at middle brightness.
_FLAT: Final = 0.004

#: RGB logarithms to log luma, log(R/G) and log(B/G).
_CHANNELS: Final = np.array([[0.299, 0.587, 0.114], [1.0, -1.0, 0.0], [0.0, -1.0, 1.0]], np.float32)

#: The figures in the order of `scene_figures`; y is log luma, r log(R/G), b log(B/G).
FIGURES: Final = (
    "r_border",
    "b_border",
    "r_median",
    "b_median",
    "y_contrast",
    "r_contrast",
    "b_contrast",
    "yr_correlation",
    "yb_correlation",
    "y_local",
    "y_fine",
    "r_fine",
    "b_fine",
    "direction",
    "y_sides",
    "r_sides",
    "b_sides",
    "y_within_sides",
    "r_within_sides",
    "b_within_sides",
    "y_not_round",
    "r_not_round",
)

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


def scene_square(square: Rgb) -> Rgb:
    """Return a square picture at 64 pixels a side.

    Args:
        square: (s, s, 3) uint8 RGB.
    """
    how = cv2.INTER_AREA if square.shape[0] >= SIDE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (SIDE_PX, SIDE_PX), interpolation=how), np.uint8)


def scene_figures(small: Rgb) -> npt.NDArray[np.float64]:
    """Return the figures named in `FIGURES`.

    `_border` and `_median` are colours of the rim and of the disc; `_contrast` how far the disc departs from
    evenly lit skin (a plane), `_correlation` whether it turns redder or bluer where it is darker, `_local`
    the contrast of middle-sized parts, `_fine` of hairs and grain, `direction` how far edges run one way,
    `_sides` how far the eight sectors of the rim differ, `_within_sides` how uneven each is, and `_not_round`
    what is left of the disc after a round spot. Skin around a lesion is alike on all sides, a thing is not.

    Args:
        small: (64, 64, 3) uint8 RGB, as `scene_square` makes it.

    Returns:
        (22,) float64, finite.
    """
    grid = _grid()
    smooth = cv2.medianBlur(small, _MEDIAN_PX)
    fine = np.subtract(_log_channels(small), _log_channels(np.asarray(smooth, np.uint8)))
    half = cv2.resize(smooth, (_MAP_PX, _MAP_PX), interpolation=cv2.INTER_AREA)
    channels = _log_channels(np.asarray(half, np.uint8))
    surround = cv2.GaussianBlur(channels, (0, 0), _SURROUND_SIGMA_PX)
    flat = channels.reshape(-1, 3)
    local = (flat[:, 0] - np.asarray(surround).reshape(-1, 3)[:, 0])[grid.centre]

    disc = flat[grid.disc]
    tilt = disc - grid.plane @ (grid.plane_inverse @ disc)
    spot = disc[:, :2] - grid.spot @ (grid.spot_inverse @ disc[:, :2])
    centred = disc - disc.mean(axis=0)
    spread = centred.T @ centred / np.float32(len(centred))
    rim = flat[grid.rim]
    sides = grid.sector_means @ rim
    within = rim - sides[grid.sector]
    figures = np.concatenate(
        [
            _median(rim)[1:],
            _median(disc)[1:],
            _log_spread(tilt),
            spread[0, 1:] / np.sqrt(spread[0, 0] * spread.diagonal()[1:] + 1e-5),
            _log_spread(local[:, None]),
            _log_spread(fine.reshape(-1, 3)),
            [_direction(channels[:, :, 0])],
            np.log(sides.std(axis=0) + _FLAT),
            _log_spread(within),
            np.log(((spot * spot).mean(axis=0) + 1e-5) / (spread.diagonal()[:2] + 1e-5)),
        ]
    )
    return np.asarray(figures, np.float64)


def _log_channels(rgb: Rgb) -> Floats:
    return np.asarray(cv2.transform(cv2.LUT(rgb, _grid().logarithm), _CHANNELS), np.float32)


def _median(values: Floats) -> Floats:
    """Return the median of each column; `np.median` would load masked arrays: 5 ms of start-up."""
    middle = len(values) // 2
    ordered = np.partition(values, (middle - 1, middle), axis=0)
    both = ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / np.float32(2)
    return np.asarray(both, np.float32)


def _log_spread(values: Floats) -> Floats:
    return np.asarray(np.log(values.std(axis=0) + _FLAT), np.float32)


def _direction(image: Floats) -> float:
    """Return 0 where edges run all ways, 1 where they all run one way."""
    along_x = cv2.Sobel(image, cv2.CV_32F, 1, 0)
    along_y = cv2.Sobel(image, cv2.CV_32F, 0, 1)
    xx, yy = float(np.vdot(along_x, along_x)), float(np.vdot(along_y, along_y))
    xy = float(np.vdot(along_x, along_y))
    return float(np.hypot(xx - yy, 2.0 * xy)) / (xx + yy + 1e-5 * image.size)


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Which pixels belong to what, and the least-squares fits over the disc."""

    logarithm: Floats
    disc: Indices
    centre: Indices
    rim: Indices
    sector: Indices
    sector_means: Floats
    plane: Floats
    plane_inverse: Floats
    spot: Floats
    spot_inverse: Floats


@cache
def _grid() -> _Grid:
    offset = np.arange(_MAP_PX) - (_MAP_PX - 1) / 2
    y, x = (axis.ravel() for axis in np.meshgrid(offset, offset, indexing="ij"))
    radius = np.hypot(x, y) / _MAP_PX
    disc = np.flatnonzero(radius <= 0.48)
    rim = np.flatnonzero((np.maximum(np.abs(x), np.abs(y)) > 0.36 * _MAP_PX) & (radius <= 0.56))
    turn = (np.arctan2(y[rim], x[rim]) + np.pi) / (2.0 * np.pi)
    sector = (turn * _SECTORS).astype(np.intp) % _SECTORS
    member = (sector[None, :] == np.arange(_SECTORS)[:, None]).astype(np.float64)
    ones, at_x, at_y, at_r = np.ones(len(disc)), x[disc] / 16.0, y[disc] / 16.0, radius[disc]
    plane = np.stack([ones, at_x, at_y], axis=1)
    spot = np.stack([ones, at_x, at_y, 4.0 * at_r**2, np.minimum(4.0 * at_r, 1.0)], axis=1)
    single = np.float32
    return _Grid(
        logarithm=np.log(np.arange(256) + _DARK).astype(single),
        disc=disc,
        centre=np.flatnonzero(radius <= 0.36),
        rim=rim,
        sector=sector,
        sector_means=(member / member.sum(axis=1, keepdims=True)).astype(single),
        plane=plane.astype(single),
        plane_inverse=_left_inverse(plane).astype(single),
        spot=spot.astype(single),
        spot_inverse=_left_inverse(spot).astype(single),
    )


def _left_inverse(terms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (k, n) P such that P @ values are the least-squares weights of the (n, k) terms."""
    return np.linalg.solve(terms.T @ terms, terms.T)  # few, well-conditioned terms: no decomposition needed
