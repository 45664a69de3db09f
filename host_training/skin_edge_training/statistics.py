"""Figures with their uncertainty: scikit-learn's metrics, bootstrapped by lesion group.

Pictures of one lesion are not independent, so what is drawn with replacement is the lesion (Efron &
Tibshirani 1993, cluster bootstrap). A draw is expressed as sample weights. scikit-learn computes one draw
at a time, in about a millisecond; the metrics here take all draws at once, (R, N) weights, and the tests
hold them to scikit-learn's values.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import log_loss, roc_curve

from skin_edge.errors import UsageError
from skin_edge.model.manifest import Estimate

Vector = npt.NDArray[np.float64]
#: (labels (N,), scores (N,), weights (N,) or (R, N)) to a number, or (R,): NaN where it is not defined.
Metric = Callable[[Vector, Vector, Vector], Any]
Key = TypeVar("Key", bound=Hashable)

RESAMPLES = 1000

#: Bins of the calibration error and of the reliability diagram, each with as many pictures.
CALIBRATION_BINS = 10

#: A figure that fewer of the draws than this define has no interval worth showing.
MIN_DEFINED_DRAWS = 0.9

#: Rows of weights that are worked on at once: bounds memory at 64 MB for a set of 32,000 pictures.
CHUNK = 250

#: Room for rounding where a share is compared with the one asked for.
_TOLERANCE = 1e-9


def auroc(labels: Vector, scores: Vector, weights: Vector) -> Any:
    """Area under the ROC curve, as `sklearn.metrics.roc_auc_score`."""
    malignant, benign = _from_the_top(labels, scores, weights)
    height = malignant - np.diff(malignant, axis=-1, prepend=0.0) / 2
    area = (np.diff(benign, axis=-1, prepend=0.0) * height).sum(axis=-1)
    return _ratio(area, malignant[..., -1] * benign[..., -1])


def average_precision(labels: Vector, scores: Vector, weights: Vector) -> Any:
    """Area under the precision-recall curve, as `sklearn.metrics.average_precision_score`."""
    malignant, benign = _from_the_top(labels, scores, weights)
    gained = np.diff(malignant, axis=-1, prepend=0.0)
    # The scores before the first picture that was drawn gain nothing: 0 / 0 counts as 0.
    precision = malignant / np.maximum(malignant + benign, np.finfo(np.float64).tiny)
    return _ratio((gained * precision).sum(axis=-1), malignant[..., -1])


def brier(labels: Vector, probabilities: Vector, weights: Vector) -> Any:
    """Brier score: mean squared error of the probability, as `sklearn.metrics.brier_score_loss`."""
    return weighted_share((probabilities - labels) ** 2, np.ones_like(labels), weights)


def calibration_error(labels: Vector, probabilities: Vector, weights: Vector) -> Any:
    """Expected calibration error over ten equal-mass bins (Naeini et al. 2015; bins as Nixon et al. 2019).

    The bins are those of all pictures and stay the same in every draw. Sampling noise adds to it, the more
    so in the draws of a bootstrap: read its upper limit as cautious.
    """
    members = np.eye(CALIBRATION_BINS)[equal_mass_bins(probabilities)]
    gaps = np.abs(weights @ ((probabilities - labels)[:, None] * members))
    return _ratio(gaps.sum(axis=-1), weights.sum(axis=-1))


def equal_mass_bins(probabilities: Vector) -> npt.NDArray[np.int64]:
    """Return the bin (N,) of each probability, cut as `sklearn.calibration.calibration_curve` does it."""
    cuts = np.quantile(probabilities, np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)[1:-1])
    return np.searchsorted(cuts, probabilities).astype(np.int64)


def weighted_share(part: npt.NDArray[Any], whole: Vector, weights: Vector) -> Any:
    """Return the weighted mean of `part` (N,) over the pictures that `whole` (N,) marks with 1."""
    return _ratio(weights @ (part * whole), weights @ whole)


def sensitivity_at(threshold: float) -> Metric:
    """Share of malignant pictures at or above `threshold`."""
    return lambda labels, scores, weights: weighted_share(scores >= threshold, labels, weights)


def specificity_at(threshold: float) -> Metric:
    """Share of benign pictures below `threshold`."""
    return lambda labels, scores, weights: weighted_share(scores < threshold, 1 - labels, weights)


def sensitivity_at_specificity(specificity: float) -> Metric:
    """Highest sensitivity of any threshold whose specificity is at least `specificity`, on the same set."""

    def measure(labels: Vector, scores: Vector, weights: Vector) -> Any:
        malignant, benign = _from_the_top(labels, scores, weights)
        allowed = benign <= (1 - specificity + _TOLERANCE) * benign[..., -1:]
        return _ratio(np.where(allowed, malignant, 0.0).max(axis=-1), malignant[..., -1])

    return measure


def specificity_at_sensitivity(sensitivity: float) -> Metric:
    """Highest specificity of any threshold whose sensitivity is at least `sensitivity`, on the same set."""

    def measure(labels: Vector, scores: Vector, weights: Vector) -> Any:
        malignant, benign = _from_the_top(labels, scores, weights)
        reached = malignant >= (sensitivity - _TOLERANCE) * malignant[..., -1:]
        kept = np.where(reached, benign, np.inf).min(axis=-1)
        return _ratio(benign[..., -1] - kept, benign[..., -1])

    return measure


def share_within(low: float, high: float) -> Metric:
    """Share of pictures whose score lies in [low, high)."""
    return lambda labels, scores, weights: weighted_share(
        (scores >= low) & (scores < high), np.ones_like(labels), weights
    )


def predictive_values(sensitivity: Any, specificity: Any, prevalence: float) -> tuple[Any, Any]:
    """Return PPV and NPV by Bayes' rule; NaN where nothing is flagged, or nothing is passed."""
    hits, misses = sensitivity * prevalence, (1 - sensitivity) * prevalence
    alarms, passes = (1 - specificity) * (1 - prevalence), specificity * (1 - prevalence)
    return _ratio(hits, hits + alarms), _ratio(passes, passes + misses)


def ppv_at(threshold: float, prevalence: float) -> Metric:
    """Positive predictive value at `threshold` were `prevalence` of all lesions malignant."""
    sensitivity, specificity = sensitivity_at(threshold), specificity_at(threshold)
    return lambda *given: predictive_values(sensitivity(*given), specificity(*given), prevalence)[0]


def npv_at(threshold: float, prevalence: float) -> Metric:
    """Negative predictive value at `threshold` were `prevalence` of all lesions malignant."""
    sensitivity, specificity = sensitivity_at(threshold), specificity_at(threshold)
    return lambda *given: predictive_values(sensitivity(*given), specificity(*given), prevalence)[1]


def draw_weights(
    labels: Vector, groups: npt.NDArray[np.int64], *, seed: int, resamples: int = RESAMPLES
) -> npt.NDArray[np.uint16]:
    """Return (R, N): how often each picture is in each draw of lesion groups with replacement.

    Raises:
        UsageError: the pictures are all of one class, which no draw can mend.
    """
    if len(np.unique(labels)) < 2:
        raise UsageError("all pictures have the same label: figures need malignant and benign ones")
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1
    rng = np.random.default_rng(seed)
    draws = np.empty((resamples, len(labels)), np.uint16)
    done = 0
    while done < resamples:
        weights = np.bincount(rng.integers(0, count, count), minlength=count)[members]
        if weights[labels == 1].any() and weights[labels == 0].any():  # else it has no ROC curve
            draws[done] = weights
            done += 1
    return draws


def intervals(
    metrics: Mapping[Key, Metric], labels: Vector, scores: Vector, draws: npt.NDArray[np.uint16]
) -> dict[Key, Estimate | None]:
    """Return each metric with its 95 % percentile interval over `draws`; None where it is not defined.

    The interval is widened where need be to hold the value.

    Args:
        metrics: key to metric.
        labels: (N,) 0 or 1.
        scores: (N,) larger is more malignant.
        draws: (R, N) from `draw_weights`.
    """
    found: dict[Key, list[Any]] = {key: [] for key in metrics}
    for start in range(0, len(draws), CHUNK):
        weights = draws[start : start + CHUNK].astype(np.float64)
        for key, metric in metrics.items():
            found[key].append(metric(labels, scores, weights))
    once = np.ones(len(labels))
    result: dict[Key, Estimate | None] = {}
    for key, metric in metrics.items():
        value, drawn = float(metric(labels, scores, once)), np.concatenate(found[key])
        defined = drawn[np.isfinite(drawn)]
        if not np.isfinite(value) or len(defined) < MIN_DEFINED_DRAWS * len(draws):
            result[key] = None
            continue
        low, high = (float(q) for q in np.quantile(defined, (0.025, 0.975)))
        result[key] = Estimate(value=value, low=min(low, value), high=max(high, value))
    return result


def estimate(
    metrics: Mapping[Key, Metric],
    labels: Vector,
    scores: Vector,
    groups: npt.NDArray[np.int64],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[Key, Estimate]:
    """Return each metric with its 95 % percentile interval over `resamples` draws of lesion groups.

    Args:
        metrics: key to metric, all defined on this set.
        labels: (N,) 0 or 1.
        scores: (N,) larger is more malignant.
        groups: (N,) lesion group of each picture.
        seed: of the draws.
        resamples: number of draws.

    Raises:
        UsageError: all pictures are of one class, or a metric is not defined on them.
    """
    draws = draw_weights(labels, groups, seed=seed, resamples=resamples)
    result = {}
    for key, found in intervals(metrics, labels, scores, draws).items():
        if found is None:
            raise UsageError(f"{key} is not defined on these {len(labels)} pictures: use more of them")
        result[key] = found
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
    # Probabilities of a set that is told apart without a doubt round to 0 and 1, which no threshold may be.
    return float(np.clip(thresholds[np.argmax(true_positive_rate >= sensitivity)], 1e-6, 1 - 1e-6))


def abstain_band(scores: Vector, threshold: float, coverage: float) -> tuple[float, float]:
    """Return (low, high) around `threshold` that holds the `coverage` share of scores nearest in log-odds."""
    half = float(np.quantile(log_odds_distance(scores, threshold), coverage))
    centre = np.log(threshold / (1 - threshold))
    return float(expit(centre - half)), float(expit(centre + half))


def log_odds_distance(scores: Vector, threshold: float) -> Vector:
    """How far each score lies from `threshold` in log-odds: what abstaining goes by."""
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    distance: Vector = np.abs(np.log(clipped / (1 - clipped)) - np.log(threshold / (1 - threshold)))
    return distance


def _from_the_top(labels: Vector, scores: Vector, weights: Vector) -> tuple[Vector, Vector]:
    """Return the weights of malignant and of benign pictures at or above each distinct score, highest first.

    Each is (..., U) for U distinct scores; the last column holds the totals.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    sorted_weights = weights[..., order]
    malignant = np.cumsum(sorted_weights * labels[order], axis=-1)[..., ends]
    benign = np.cumsum(sorted_weights * (1 - labels[order]), axis=-1)[..., ends]
    return malignant, benign


def _ratio(part: Any, whole: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(part, whole)
