"""A burst: several frames of one lesion, of which the best are classified and must agree.

Ranking needs no network: focus and exposure, as the quality gate measured them, pick the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skin_edge.frame import QualityReport


@dataclass(frozen=True, slots=True)
class BurstRule:
    """How a burst becomes one answer.

    Attributes:
        best: so many frames are classified, at most.
        views: flips and rotations of each of them that are averaged: 1, 2, 4 or 8.
        max_spread: largest difference between two frames, in calibrated log-odds, at which the answer is
            still trusted; `docs/results/burst.csv` has the measurement behind the default.
    """

    best: int = 3
    views: int = 1
    max_spread: float = 2.0


def select(reports: Sequence[QualityReport], best: int) -> tuple[int, ...]:
    """Return the positions of the frames to classify, the best first.

    Frames that the gate lets pass are ranked by `score`, and at most `best` are taken. Where it refuses all,
    only the least bad one is taken: how far refused frames agree says nothing.

    Args:
        reports: of the frames, in the order in which they were taken; at least one.
        best: how many at most, from 1 on.
    """
    order = sorted(range(len(reports)), key=lambda at: (len(reports[at].reasons), -score(reports[at])))
    fit = [at for at in order if reports[at].ok]
    return tuple(fit[:best]) if fit else (order[0],)


def score(report: QualityReport) -> float:
    """Return how good a frame is to classify, higher is better: its focus, less what is black or burnt out.

    Comparable between frames of one burst only, since the focus figure depends on what is in view.
    """
    metrics = report.metrics
    return metrics["focus"] * max(0.0, 1.0 - metrics["black_fraction"] - metrics["white_fraction"])
