"""The rule that turns a logit into an answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skin_edge.decision import IN_ABSTAIN_BAND, POOR_QUALITY, DecisionPolicy
from skin_edge.frame import Prediction, QualityReport

POLICY = DecisionPolicy(
    operating_point="sensitivity-90", threshold=0.2, temperature=2.0, abstain_low=0.15, abstain_high=0.25
)
GOOD = QualityReport()


def logit_for(probability: float, policy: DecisionPolicy = POLICY) -> float:
    return math.log(probability / (1 - probability)) * policy.temperature


def predict(logit: float) -> Prediction:
    return Prediction(logit=logit, activation_map=np.zeros((2, 2), np.float32))


@pytest.mark.parametrize(
    ("probability", "label", "refer"),
    [(0.05, "benign", False), (0.16, "uncertain", True), (0.24, "uncertain", True), (0.6, "malignant", True)],
)
def test_the_band_separates_three_answers(probability: float, label: str, refer: bool) -> None:
    decision = POLICY.decide(predict(logit_for(probability)), GOOD)
    assert (decision.label, decision.refer) == (label, refer)
    assert decision.probability == pytest.approx(probability)
    assert decision.reasons == ((IN_ABSTAIN_BAND,) if label == "uncertain" else ())


@given(st.floats(-1e6, 1e6))
def test_a_poor_frame_is_never_called_benign(logit: float) -> None:
    decision = POLICY.decide(predict(logit), QualityReport(reasons=("too-dark",)))
    assert decision.label == "uncertain"
    assert decision.refer
    assert POOR_QUALITY in decision.reasons


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_probability_is_finite_in_range_and_rises_with_the_logit(a: float, b: float) -> None:
    low, high = sorted((POLICY.probability(a), POLICY.probability(b)))
    assert 0.0 <= low <= high <= 1.0
    if a < b:
        assert POLICY.probability(a) <= POLICY.probability(b)


def test_temperature_softens() -> None:
    assert POLICY.probability(4.0) == pytest.approx(1 / (1 + math.exp(-2.0)))


def test_without_a_band_the_threshold_alone_decides() -> None:
    policy = DecisionPolicy("x", 0.5, 1.0, 0.5, 0.5)
    assert policy.decide(predict(0.0), GOOD).label == "malignant"
    assert policy.decide(predict(-1e-9), GOOD).label == "benign"
