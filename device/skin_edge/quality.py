"""Is a frame fit to classify, and if not, why: size, exposure and focus of the part the network looks at.

A refusal is never silent: each reason has an identifier for scripts and a sentence that says what to do.
The defaults were set on real dermoscopic images, as they are and spoiled; `docs/results/quality_gate.csv`
is the table, `benchmarks/quality_gate.py` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.config import QualityThresholds
from skin_edge.frame import QualityReport
from skin_edge.preprocess.crop_resize import central_square
from skin_edge.preprocess.rgb import Rgb, require_rgb

TOO_SMALL: Final = "too-small"
TOO_DARK: Final = "too-dark"
TOO_BRIGHT: Final = "too-bright"
OUT_OF_FOCUS: Final = "out-of-focus"

#: What is wrong and what to do about it, for a person.
REASON_TEXT: Mapping[str, str] = MappingProxyType(
    {
        TOO_SMALL: "The picture has too few pixels: use a higher resolution or do not crop it so tightly.",
        TOO_DARK: "The picture is too dark: add light or lengthen the exposure, and uncover the lens.",
        TOO_BRIGHT: "Too much is burnt out: shorten the exposure, dim the light or avoid glare.",
        OUT_OF_FOCUS: "The picture is out of focus or shaken: hold still, clean the lens and focus again.",
    }
)

#: The central square is halved until its side is below this, then measured: at 160 to 319 pixels, or as it
#: is where it is smaller. Other factors than two would cost more than all the rest and colour the noise.
WORKING_LIMIT_PX: Final = 320

#: White noise of variance v leaves 20 v in the Laplacian, and these shares of that after smoothing with a
#: Gaussian of one and of two pixels: the energy of the smoothed Laplacian's impulse response over 20.
_NOISE_SHARE_FINE: Final = 0.0055982
_NOISE_SHARE_COARSE: Final = 0.00011380

#: Keeps a picture without any structure at zero. It is the coarse energy of grey levels being whole numbers.
_STRUCTURE_FLOOR: Final = 0.01

#: Grey levels up to and from which a pixel counts as without detail.
_BLACK: Final = 5
_WHITE: Final = 250

Grey = npt.NDArray[np.uint8]


def assess(rgb: Rgb, thresholds: QualityThresholds | None = None) -> QualityReport:
    """Measure a frame and say whether it is fit to classify.

    The brightest part decides whether it is too dark, not the mean: well-lit dark skin has a low mean but
    bright highlights, an under-exposed picture has neither. A picture that is too dark or burnt out has lost
    the detail that focus is measured on, so it is not called out of focus as well.

    Args:
        rgb: (H, W, 3) uint8, any strides; not modified.
        thresholds: where the gate stands; None for the defaults.

    Returns:
        The reasons against the frame, none for a good one, and the metrics `side_px`, `luma_mean`,
        `luma_p95`, `black_fraction`, `white_fraction` and `focus`.

    Raises:
        ImageError: not a non-empty (H, W, 3) uint8 array.
    """
    limits = thresholds or QualityThresholds()
    side_px = min(require_rgb(rgb).shape[:2])
    grey = working_luma(rgb)
    metrics = {"side_px": float(side_px), **_exposure(grey), "focus": focus(grey)}
    reasons = []
    if side_px < limits.min_side_px:
        reasons.append(TOO_SMALL)
    dark = (
        metrics["luma_p95"] < limits.min_highlight_luma
        or metrics["black_fraction"] > limits.max_black_fraction
    )
    bright = metrics["white_fraction"] > limits.max_white_fraction
    if dark:
        reasons.append(TOO_DARK)
    if bright:
        reasons.append(TOO_BRIGHT)
    if not (dark or bright) and metrics["focus"] < limits.min_focus:
        reasons.append(OUT_OF_FOCUS)
    return QualityReport(tuple(reasons), metrics)


def working_luma(rgb: Rgb) -> Grey:
    """Return the luma (BT.601) of the central square, halved to the working size.

    Args:
        rgb: (H, W, 3) uint8, any strides.

    Returns:
        (s, s) uint8 with s below `WORKING_LIMIT_PX`.
    """
    square = central_square(rgb, 1.0)
    to_grey = cv2.COLOR_RGB2GRAY
    if square.strides[2] < 0:  # BGR memory seen as RGB: OpenCV would copy it pixel by pixel
        square, to_grey = square[:, :, ::-1], cv2.COLOR_BGR2GRAY
    if square.strides[2] != 1 or square.strides[1] != 3 or square.strides[0] < 0:
        square = np.ascontiguousarray(square)
    # Halving three channels by exactly two is vectorised, and cheaper than turning all of them grey first.
    while square.shape[0] >= WORKING_LIMIT_PX:
        half = square.shape[0] // 2
        square = np.asarray(
            cv2.resize(square[: 2 * half, : 2 * half], (half, half), interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.asarray(cv2.cvtColor(square, to_grey), np.uint8)


def focus(grey: Grey) -> float:
    """Return how sharp a picture is, independent of its contrast and of its noise; higher is sharper.

    The ratio of the energies of the Laplacian of Gaussian (Marr & Hildreth 1980) at one and at two pixels.
    Blur takes from the finer first. Contrast cancels. What white noise adds to each is taken out by way of
    the bare Laplacian, which noise dominates wherever the picture is smooth (after Immerkaer 1996): without
    that, noise of five grey levels hides any blur.

    Args:
        grey: (H, W) uint8.

    Returns:
        0 for a picture without structure, about 1 to 3 for blurred skin, 5 to 15 for skin in focus.
    """
    image = grey.astype(np.float32)
    noise = _laplacian_energy(image)
    fine = _laplacian_energy(cv2.GaussianBlur(image, (7, 7), 1.0)) - _NOISE_SHARE_FINE * noise
    coarse = _laplacian_energy(cv2.GaussianBlur(image, (13, 13), 2.0)) - _NOISE_SHARE_COARSE * noise
    return max(fine, 0.0) / (max(coarse, 0.0) + _STRUCTURE_FLOOR)


def _laplacian_energy(image: cv2.typing.MatLike) -> float:
    laplacian = cv2.Laplacian(image, cv2.CV_32F)
    return float(cv2.norm(laplacian, cv2.NORM_L2SQR)) / laplacian.size


def _exposure(grey: Grey) -> dict[str, float]:
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64) / grey.size
    return {
        "luma_mean": float(counts @ np.arange(256)),
        "luma_p95": float(np.searchsorted(np.cumsum(counts), 0.95 - 1e-9)),
        "black_fraction": float(counts[: _BLACK + 1].sum()),
        "white_fraction": float(counts[_WHITE:].sum()),
    }
