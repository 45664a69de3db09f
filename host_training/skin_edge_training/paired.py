"""Two models on the same pictures: the difference of a figure, by paired bootstrap over lesions.

The same lesions are drawn for both, so that what makes one hard for either cancels (Efron & Tibshirani 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skin_edge.strict import Strict
from skin_edge_training.statistics import CHUNK, Metric, Vector


class Difference(Strict, frozen=True):
    """A figure of one model less that of another on the same pictures, with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} ({self.low:+.4f} to {self.high:+.4f})"

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, or ``no difference shown`` where the interval holds zero."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "no difference shown"


def paired_difference(
    metric: Metric,
    labels: Vector,
    pairs: Sequence[tuple[Vector, Vector]],
    draws: npt.NDArray[np.uint16],
) -> Difference:
    """Return `metric` of one model less that of another, both on the same draws (paired bootstrap).

    Args:
        metric: larger is better; defined on every draw.
        labels: (N,) 0 or 1.
        pairs: (N,) scores of the model in question and of the one that it is compared with; a pair for each
            seed that both were trained with, and the mean over them counts.
        draws: (R, N) from `draw_weights`.
    """

    def gap(weights: Vector) -> Any:
        gaps = [metric(labels, ours, weights) - metric(labels, theirs, weights) for ours, theirs in pairs]
        return np.mean(gaps, axis=0)

    drawn = np.concatenate(
        [gap(draws[start : start + CHUNK].astype(np.float64)) for start in range(0, len(draws), CHUNK)]
    )
    low, high = (float(q) for q in np.quantile(drawn, (0.025, 0.975)))
    value = float(gap(np.ones(len(labels))))
    return Difference(value=value, low=min(low, value), high=max(high, value))
