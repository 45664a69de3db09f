"""The metrics that take all draws at once, against scikit-learn and against cases done by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from skin_edge.errors import UsageError
from skin_edge_training.statistics import (
    Metric,
    auroc,
    average_precision,
    brier,
    calibration_error,
    draw_weights,
    intervals,
    npv_at,
    ppv_at,
    predictive_values,
    sensitivity_at,
    sensitivity_at_specificity,
    specificity_at,
    specificity_at_sensitivity,
)

LABELS = np.array([0, 0, 0, 0, 1, 0, 1, 1, 0, 1], float)
SCORES = np.array([0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.6, 0.7, 0.8, 0.9])
ONCE = np.ones(10)


def _made_set(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(size) < 0.3).astype(float)
    labels[:2] = (0, 1)
    return labels, np.round(np.clip(rng.normal(0.3 + 0.3 * labels, 0.2), 0, 1), 2)  # rounded: ties


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000))
def test_each_row_of_weights_gives_what_scikit_learn_gives(size: int, seed: int) -> None:
    labels, scores = _made_set(size, seed)
    weights = np.random.default_rng(seed).integers(0, 4, (3, size)).astype(float)
    weights[:, :2] += 1  # both classes are drawn
    for ours, theirs in (
        (auroc, roc_auc_score),
        (average_precision, average_precision_score),
        (brier, brier_score_loss),
    ):
        expected = [theirs(labels, scores, sample_weight=row) for row in weights]
        assert ours(labels, scores, weights) == pytest.approx(expected, abs=1e-12)
        assert ours(labels, scores, weights[0]) == pytest.approx(expected[0], abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_rates_at_fixed_rates_are_points_of_scikit_learns_curve(size: int, seed: int, rate: float) -> None:
    labels, scores = _made_set(size, seed)
    weights = np.random.default_rng(seed).integers(0, 4, size).astype(float)
    weights[:2] += 1
    false_positives, true_positives, _ = roc_curve(
        labels, scores, sample_weight=weights, drop_intermediate=False
    )
    sensitivity = true_positives[1 - false_positives >= rate - 1e-9].max()
    specificity = (1 - false_positives)[true_positives >= rate - 1e-9].max()
    assert sensitivity_at_specificity(rate)(labels, scores, weights) == pytest.approx(sensitivity)
    assert specificity_at_sensitivity(rate)(labels, scores, weights) == pytest.approx(specificity)


def test_rates_at_fixed_rates_by_hand() -> None:
    # From the top: 1 0 1 1 0 1 0 0 0 0, four malignant and six benign.
    assert sensitivity_at_specificity(1.0)(LABELS, SCORES, ONCE) == pytest.approx(1 / 4)
    assert sensitivity_at_specificity(5 / 6)(LABELS, SCORES, ONCE) == pytest.approx(3 / 4)
    assert sensitivity_at_specificity(0.8)(LABELS, SCORES, ONCE) == pytest.approx(3 / 4)
    assert specificity_at_sensitivity(1.0)(LABELS, SCORES, ONCE) == pytest.approx(4 / 6)
    assert specificity_at_sensitivity(0.75)(LABELS, SCORES, ONCE) == pytest.approx(5 / 6)


def test_a_score_at_the_threshold_is_flagged() -> None:
    # At 0.6, the third of four malignant ones from the bottom; at 0.4, a benign one.
    assert sensitivity_at(0.6)(LABELS, SCORES, ONCE) == pytest.approx(3 / 4)
    assert specificity_at(0.4)(LABELS, SCORES, ONCE) == pytest.approx(4 / 6)


def test_calibration_error_by_hand() -> None:
    # Ten pictures in ten bins: each bin's gap is its picture's own.
    assert calibration_error(LABELS, SCORES, ONCE) == pytest.approx(np.mean(np.abs(LABELS - SCORES)))
    certain = np.repeat([0.0, 1.0], 50)
    assert calibration_error(certain, certain, np.ones(100)) == 0.0
    assert calibration_error(certain, 1 - certain, np.ones(100)) == pytest.approx(1.0)


def test_calibration_error_is_the_gap_of_scikit_learns_curve() -> None:
    rng = np.random.default_rng(5)
    scores = rng.random(1000)  # no ties, so that every bin holds a hundred
    labels = (rng.random(1000) < scores**2).astype(float)
    observed, predicted = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    expected = np.abs(observed - predicted).mean()
    assert calibration_error(labels, scores, np.ones(1000)) == pytest.approx(expected)


def test_predictive_values_by_hand() -> None:
    # Of 10,000 lesions 200 are malignant: 180 found, 20 missed; 980 of 9,800 benign ones are flagged.
    ppv, npv = predictive_values(0.9, 0.9, 0.02)
    assert ppv == pytest.approx(180 / 1160)
    assert npv == pytest.approx(8820 / 8840)
    assert np.isnan(predictive_values(0.0, 1.0, 0.02)[0])
    prevalence = LABELS.mean()
    assert ppv_at(0.5, prevalence)(LABELS, SCORES, ONCE) == pytest.approx(3 / 4)
    assert npv_at(0.5, prevalence)(LABELS, SCORES, ONCE) == pytest.approx(5 / 6)


def test_a_figure_that_most_draws_do_not_define_has_no_interval() -> None:
    labels, groups = np.array([1.0, 0.0, 0.0, 0.0, 0.0]), np.arange(5)
    draws = draw_weights(labels, groups, seed=0, resamples=200)
    scores = np.array([0.9, 0.1, 0.2, 0.3, 0.95])
    found = intervals({"sensitivity": sensitivity_at(0.5)}, labels[1:], scores[1:], draws[:, 1:])
    assert found["sensitivity"] is None  # no malignant picture
    rare = intervals({"specificity": specificity_at(0.5)}, labels[4:], scores[4:], draws[:, 4:])
    assert rare["specificity"] is None  # a third of the draws leave the only picture out


def test_one_class_is_refused_before_anything_is_drawn() -> None:
    with pytest.raises(UsageError, match="same label"):
        draw_weights(np.ones(5), np.arange(5), seed=0)


def test_a_lesion_is_drawn_whole() -> None:
    groups = np.repeat(np.arange(20), 3)
    draws = draw_weights(np.tile([0.0, 1.0, 1.0], 20), groups, seed=1, resamples=50)
    assert (draws.reshape(50, 20, 3).max(axis=2) == draws.reshape(50, 20, 3).min(axis=2)).all()
    assert (draws[:, ::3].sum(axis=1) == 20).all()
    assert (draws != draws[0]).any()


def test_the_interval_of_auroc_covers_the_truth_about_as_often_as_it_says() -> None:
    # Normal scores one standard deviation apart have an AUROC of 0.7602.
    rng = np.random.default_rng(7)
    hits = 0
    for seed in range(150):
        lesions = (rng.random(60) < 0.4).astype(float)
        lesions[:2] = (0, 1)
        middle = rng.normal(lesions, np.sqrt(0.6))
        labels = np.repeat(lesions, 3)  # three pictures a lesion that resemble each other
        scores = np.repeat(middle, 3) + rng.normal(0, np.sqrt(0.4), 180)
        draws = draw_weights(labels, np.repeat(np.arange(60), 3), seed=seed, resamples=200)
        found = intervals({"auroc": auroc}, labels, scores, draws)["auroc"]
        assert found is not None
        hits += found.low <= 0.7602 <= found.high
    assert 0.88 <= hits / 150 <= 0.99


def test_a_thousand_draws_of_twenty_figures_take_seconds() -> None:
    labels, scores = _made_set(1500)
    metrics: dict[str, Metric] = {}
    for number in range(4):
        metrics |= {
            f"{number} auroc": auroc,
            f"{number} ap": average_precision,
            f"{number} ece": calibration_error,
            f"{number} sensitivity": sensitivity_at(0.4),
            f"{number} specificity": specificity_at(0.4),
        }
    started = time.perf_counter()
    draws = draw_weights(labels, np.arange(1500) // 2, seed=0, resamples=1000)
    intervals(metrics, labels, scores, draws)
    assert time.perf_counter() - started < 20  # 1 s on an idle machine
