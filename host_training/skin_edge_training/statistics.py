"""Figures with their uncertainty: scikit-learn's metrics, bootstrapped by lesion group.

Pictures of one lesion are not independent, so what is drawn with replacement is the lesion (Efron &
Tibshirani 1993, cluster bootstrap). A draw is expressed as sample weights, which every metric here takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score, roc_curve

from skin_edge.model.manifest import Estimate

Vector = npt.NDArray[np.float64]
Metric = Callable[[Vector, Vector, Vector], float]

RESAMPLES = 1000


def auroc(labels: Vector, scores: Vector, weights: Vector) -> float:
    """Area under the ROC curve."""
    return float(roc_auc_score(labels, scores, sample_weight=weights))


def brier(labels: Vector, probabilities: Vector, weights: Vector) -> float:
    """Brier score: mean squared error of the probability."""
    return float(np.average((probabilities - labels) ** 2, weights=weights))


def sensitivity_at(threshold: float) -> Metric:
    """Share of malignant pictures at or above `threshold`."""
    return lambda labels, scores, weights: float(
        np.average(scores[labels == 1] >= threshold, weights=weights[labels == 1])
    )


def specificity_at(threshold: float) -> Metric:
    """Share of benign pictures below `threshold`."""
    return lambda labels, scores, weights: float(
        np.average(scores[labels == 0] < threshold, weights=weights[labels == 0])
    )


def share_within(low: float, high: float) -> Metric:
    """Share of pictures whose score lies in [low, high)."""
    return lambda labels, scores, weights: float(
        np.average((scores >= low) & (scores < high), weights=weights)
    )


def estimate(
    metrics: Mapping[str, Metric],
    labels: Vector,
    scores: Vector,
    groups: npt.NDArray[np.int64],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Return each metric with its 95 % percentile interval over `resamples` draws of lesion groups.

    Args:
        metrics: name to function of (labels, scores, weights).
        labels: (N,) 0 or 1.
        scores: (N,) larger is more malignant.
        groups: (N,) lesion group of each picture.
        seed: of the draws.
        resamples: number of draws.
    """
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in metrics}
    while len(next(iter(drawn.values()))) < resamples:
        weights = np.bincount(rng.integers(0, count, count), minlength=count)[members].astype(np.float64)
        if weights[labels == 1].sum() == 0 or weights[labels == 0].sum() == 0:
            continue  # a draw without one of the classes has no ROC curve
        for name, metric in metrics.items():
            drawn[name].append(metric(labels, scores, weights))
    ones = np.ones(len(labels))
    result = {}
    for name, metric in metrics.items():
        value = metric(labels, scores, ones)
        low, high = (float(q) for q in np.quantile(drawn[name], (0.025, 0.975)))
        result[name] = Estimate(value=value, low=min(low, value), high=max(high, value))
    return result


def fit_temperature(logits: Vector, labels: Vector) -> float:
    """Return the temperature that minimises the log loss of sigmoid(logit / T) (Guo et al. 2017)."""
    found = minimize_scalar(
        lambda log_t: log_loss(labels, expit(logits / np.exp(log_t))), bounds=(-3.0, 3.0), method="bounded"
    )
    return float(np.exp(found.x))


def threshold_for_sensitivity(labels: Vector, scores: Vector, sensitivity: float) -> float:
    """Return the highest threshold whose sensitivity is at least `sensitivity`."""
    _, true_positive_rate, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    return float(thresholds[np.argmax(true_positive_rate >= sensitivity)])


def abstain_band(scores: Vector, threshold: float, coverage: float) -> tuple[float, float]:
    """Return (low, high) around `threshold` that holds the `coverage` share of scores nearest in log-odds."""
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    distance = np.abs(np.log(clipped / (1 - clipped)) - np.log(threshold / (1 - threshold)))
    half = float(np.quantile(distance, coverage))
    centre = np.log(threshold / (1 - threshold))
    return float(expit(centre - half)), float(expit(centre + half))
