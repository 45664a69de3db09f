"""Figures along a range: calibration by probability, ROC, error by coverage, PPV and NPV by prevalence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from skin_edge_training.evidence.document import AbstentionPoint, PrevalencePoint, ReliabilityBin, RocPoint
from skin_edge_training.statistics import (
    Metric,
    Vector,
    equal_mass_bins,
    intervals,
    log_odds_distance,
    npv_at,
    ppv_at,
    sensitivity_at_specificity,
    weighted_share,
)

Draws = npt.NDArray[np.uint16]

ROC_SPECIFICITIES = tuple(round(1.0 - 0.025 * step, 3) for step in range(41))
COVERAGES = tuple(round(1.0 - 0.05 * step, 2) for step in range(15))
PREVALENCES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.10, 0.15, 0.20)


def fixed_share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Metric:
    """Return the metric that is the share of `part` (N,) among the pictures that `whole` (N,) marks.

    Both are of the pictures of the whole set, in their order.
    """
    part, whole = part.astype(np.float64), whole.astype(np.float64)
    return lambda labels, scores, weights: weighted_share(part, whole, weights)


def reliability(labels: Vector, probabilities: Vector, draws: Draws) -> tuple[ReliabilityBin, ...]:
    """Return how many pictures are malignant by predicted probability, in ten bins of equal mass."""
    bins = equal_mass_bins(probabilities)

    numbers = [int(number) for number in np.unique(bins)]
    observed = intervals({n: fixed_share(labels, bins == n) for n in numbers}, labels, probabilities, draws)
    return tuple(
        ReliabilityBin(
            low=float(inside.min()),
            high=float(inside.max()),
            images=len(inside),
            mean_probability=float(inside.mean()),
            malignant=observed[number],
        )
        for number in numbers
        for inside in (probabilities[bins == number],)
    )


def roc(labels: Vector, scores: Vector, draws: Draws) -> tuple[RocPoint, ...]:
    """Return the highest sensitivity at specificities from 1 to 0."""
    metrics = {s: sensitivity_at_specificity(s) for s in ROC_SPECIFICITIES}
    found = intervals(metrics, labels, scores, draws)
    return tuple(RocPoint(specificity=s, sensitivity=value) for s, value in found.items())


def abstention(
    labels: Vector, probabilities: Vector, threshold: float, draws: Draws
) -> tuple[AbstentionPoint, ...]:
    """Return errors where only the pictures farthest from `threshold` in log-odds are answered.

    Which ones are answered is fixed on the whole set (El-Yaniv & Wiener 2010, risk and coverage).
    """
    distance = log_odds_distance(probabilities, threshold)
    wrong = (probabilities >= threshold) != (labels == 1)
    metrics: dict[tuple[float, str], Metric] = {}
    for coverage in COVERAGES:
        answered = distance >= np.quantile(distance, 1 - coverage)
        metrics[coverage, "error"] = fixed_share(wrong, answered)
        metrics[coverage, "sensitivity"] = fixed_share(~wrong, answered & (labels == 1))
        metrics[coverage, "specificity"] = fixed_share(~wrong, answered & (labels == 0))
    found = intervals(metrics, labels, probabilities, draws)
    return tuple(
        AbstentionPoint(
            coverage=coverage,
            error=found[coverage, "error"],
            sensitivity=found[coverage, "sensitivity"],
            specificity=found[coverage, "specificity"],
        )
        for coverage in COVERAGES
    )


def by_prevalence(
    labels: Vector, scores: Vector, thresholds: Mapping[str, float], draws: Draws
) -> tuple[PrevalencePoint, ...]:
    """Return PPV and NPV of each operating point, by Bayes' rule, for prevalences from 0.5 to 20 %."""
    metrics: dict[tuple[str, float, str], Metric] = {}
    for name, threshold in thresholds.items():
        for prevalence in PREVALENCES:
            metrics[name, prevalence, "ppv"] = ppv_at(threshold, prevalence)
            metrics[name, prevalence, "npv"] = npv_at(threshold, prevalence)
    found = intervals(metrics, labels, scores, draws)
    return tuple(
        PrevalencePoint(
            operating_point=name,
            prevalence=prevalence,
            ppv=found[name, prevalence, "ppv"],
            npv=found[name, prevalence, "npv"],
        )
        for name in thresholds
        for prevalence in PREVALENCES
    )
