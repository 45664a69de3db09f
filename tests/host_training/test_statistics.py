"""Figures and intervals against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from skin_edge_training.statistics import (
    abstain_band,
    auroc,
    brier,
    estimate,
    fit_temperature,
    sensitivity_at,
    share_within,
    specificity_at,
    threshold_for_sensitivity,
)

ONES = np.ones(6)
LABELS = np.array([0, 0, 0, 1, 1, 1], float)
SCORES = np.array([0.1, 0.2, 0.6, 0.4, 0.7, 0.9])


def test_metrics_on_a_case_done_by_hand() -> None:
    assert auroc(LABELS, SCORES, ONES) == pytest.approx(8 / 9)
    assert sensitivity_at(0.5)(LABELS, SCORES, ONES) == pytest.approx(2 / 3)
    assert specificity_at(0.5)(LABELS, SCORES, ONES) == pytest.approx(2 / 3)
    assert share_within(0.4, 0.7)(LABELS, SCORES, ONES) == pytest.approx(2 / 6)
    assert brier(LABELS, SCORES, ONES) == pytest.approx(np.mean((SCORES - LABELS) ** 2))


def test_weights_count_as_repeated_pictures() -> None:
    weights = np.array([2, 1, 0, 1, 3, 1], float)
    repeated = np.repeat(np.arange(6), weights.astype(int))
    for metric in (auroc, brier, sensitivity_at(0.5), specificity_at(0.5), share_within(0.3, 0.8)):
        direct = metric(LABELS[repeated], SCORES[repeated], np.ones(len(repeated)))
        assert metric(LABELS, SCORES, weights) == pytest.approx(direct)


def test_the_threshold_is_the_highest_that_reaches_the_sensitivity() -> None:
    assert threshold_for_sensitivity(LABELS, SCORES, 0.60) == pytest.approx(0.7)
    assert threshold_for_sensitivity(LABELS, SCORES, 0.90) == pytest.approx(0.4)


def test_temperature_is_recovered() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < expit(logits)).astype(float)
    assert fit_temperature(logits * 3.0, labels) == pytest.approx(3.0, rel=0.05)


def test_the_band_holds_its_share_and_the_threshold() -> None:
    scores = expit(np.random.default_rng(1).normal(-1, 2, 5000))
    low, high = abstain_band(scores, 0.2, 0.15)
    assert low < 0.2 < high
    assert np.mean((scores >= low) & (scores < high)) == pytest.approx(0.15, abs=0.01)


def test_repeating_every_picture_of_a_lesion_does_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(300) < 0.3).astype(float)
    scores = labels + rng.normal(0, 1.2, 300)
    groups = np.arange(300)
    once = estimate({"auroc": auroc}, labels, scores, groups, seed=1, resamples=400)["auroc"]
    often = estimate(
        {"auroc": auroc},
        np.repeat(labels, 5),
        np.repeat(scores, 5),
        np.repeat(groups, 5),
        seed=1,
        resamples=400,
    )["auroc"]
    assert often.value == pytest.approx(once.value)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.05)
    assert once.low < once.value < once.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for seed in range(60):
        labels = np.ones(80)
        labels[::2] = 0
        scores = np.where(labels == 1, rng.random(80) < 0.8, 0.0).astype(float)
        found = estimate({"s": sensitivity_at(0.5)}, labels, scores, np.arange(80), seed=seed, resamples=200)[
            "s"
        ]
        hits += found.low <= 0.8 <= found.high
    assert 50 <= hits <= 60
