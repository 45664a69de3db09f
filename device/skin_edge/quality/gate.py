"""The gate itself: measure a frame, hold the figures against the thresholds, say what is wrong.

The defaults were set on real dermoscopic images, as they are and spoiled; `docs/results/quality_gate.csv`
is the table, `benchmarks/quality_gate.py` makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from skin_edge.frame import QualityReport
from skin_edge.preprocess.rgb import Rgb, require_rgb
from skin_edge.quality.exposure import exposure, glare_fraction
from skin_edge.quality.likeness import likeness
from skin_edge.quality.reasons import (
    GLARE,
    MOTION,
    NO_LESION,
    NOT_SKIN,
    OUT_OF_FOCUS,
    TOO_BRIGHT,
    TOO_DARK,
    TOO_SMALL,
)
from skin_edge.quality.scene import scene_figures, scene_square
from skin_edge.quality.sharpness import sharpness
from skin_edge.quality.working import luma, working_square
from skin_edge.sections import QualityThresholds


def assess(rgb: Rgb, thresholds: QualityThresholds | None = None) -> QualityReport:
    """Measure a frame and say whether it is fit to classify.

    The brightest part decides whether it is too dark, not the mean: well-lit dark skin has a low mean but
    bright highlights, an under-exposed picture has neither. A picture that is too dark or burnt out has lost
    the detail that the other figures are measured on, so it is given no further reason but its size.

    Args:
        rgb: (H, W, 3) uint8, any strides; not modified.
        thresholds: where the gate stands; None for the defaults.

    Returns:
        The reasons against the frame, none for a good one, and the metrics `side_px`, `luma_mean`,
        `luma_p95`, `black_fraction`, `white_fraction`, `focus` (sharpness in the least sharp direction),
        `focus_evenness` (that over the sharpness in the sharpest), `glare_fraction`, `not_skin` and
        `no_lesion` (scores, 0 at the measured limit, higher is worse).

    Raises:
        ImageError: not a non-empty (H, W, 3) uint8 array.
    """
    side_px = min(require_rgb(rgb).shape[:2])
    return assess_square(working_square(rgb), side_px, thresholds)


def assess_square(square: Rgb, side_px: int, thresholds: QualityThresholds | None = None) -> QualityReport:
    """Do what `assess` does, for a caller that has the working square already.

    Args:
        square: (s, s, 3) uint8 RGB, contiguous, as `working_square` makes it.
        side_px: shorter side of the frame it comes from.
        thresholds: where the gate stands; None for the defaults.
    """
    grey = luma(square)
    small = scene_square(square)
    sharp = sharpness(grey)
    scores = likeness(scene_figures(small))
    metrics = {
        "side_px": float(side_px),
        **exposure(grey),
        "focus": sharp.least,
        "focus_evenness": sharp.evenness,
        "glare_fraction": glare_fraction(small),
        "not_skin": scores.not_skin,
        "no_lesion": scores.bare_skin,
    }
    return QualityReport(tuple(_reasons(metrics, thresholds or QualityThresholds())), metrics)


def _reasons(metrics: Mapping[str, float], limits: QualityThresholds) -> Iterator[str]:
    if metrics["side_px"] < limits.min_side_px:
        yield TOO_SMALL
    dark = (
        metrics["luma_p95"] < limits.min_highlight_luma
        or metrics["black_fraction"] > limits.max_black_fraction
    )
    bright = metrics["white_fraction"] > limits.max_white_fraction
    if dark:
        yield TOO_DARK
    if bright:
        yield TOO_BRIGHT
    if dark or bright:
        return
    if metrics["glare_fraction"] > limits.max_glare_fraction:
        yield GLARE
    if metrics["focus"] < limits.min_focus:
        yield OUT_OF_FOCUS if metrics["focus_evenness"] >= limits.max_motion_evenness else MOTION
    if metrics["no_lesion"] > limits.max_no_lesion:
        yield NO_LESION
    if metrics["not_skin"] > limits.max_not_skin:
        yield NOT_SKIN
