"""Bursts: the best frames count, they must agree, and the row says what it rests on."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skin_edge.burst import BurstRule, score, select
from skin_edge.camera.drawing import draw
from skin_edge.decision import FRAMES_DISAGREE, POOR_QUALITY, DecisionPolicy
from skin_edge.frame import Frame, QualityReport
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.quality import OUT_OF_FOCUS, TOO_DARK, assess
from skin_edge.results.images import ImageStore
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.session import Session

POLICY = DecisionPolicy(
    operating_point="x", threshold=0.2, temperature=2.0, abstain_low=0.15, abstain_high=0.25
)


def report(focus: float, *reasons: str, black: float = 0.0, white: float = 0.0) -> QualityReport:
    return QualityReport(reasons, {"focus": focus, "black_fraction": black, "white_fraction": white})


def test_the_sharpest_frames_come_first_and_refused_ones_not_at_all() -> None:
    reports = [report(6.0), report(2.0, OUT_OF_FOCUS), report(9.0), report(20.0, TOO_DARK), report(7.0)]
    assert select(reports, 2) == (2, 4)
    assert select(reports, 50) == (2, 4, 0)


def test_clipped_light_counts_against_a_frame() -> None:
    assert score(report(8.0, white=0.1)) < score(report(7.9))
    assert score(report(8.0, black=0.3)) < score(report(8.0, black=0.1))


def test_where_all_are_refused_the_least_bad_one_stands_alone() -> None:
    reports = [report(9.0, TOO_DARK, OUT_OF_FOCUS), report(1.0, OUT_OF_FOCUS), report(2.0, OUT_OF_FOCUS)]
    assert select(reports, 3) == (2,)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=1, max_size=20),
    st.integers(1, 20),
)
def test_at_least_one_is_selected_never_one_twice(frames: list[tuple[float, bool]], best: int) -> None:
    reports = [report(focus, *(() if ok else (OUT_OF_FOCUS,))) for focus, ok in frames]
    chosen = select(reports, best)
    assert 1 <= len(chosen) <= best
    assert len(set(chosen)) == len(chosen)
    if any(ok for _, ok in frames):
        assert all(reports[at].ok for at in chosen)


def test_frames_that_agree_are_answered_by_their_mean() -> None:
    decision = POLICY.decide_burst((-6.0, -7.0, -8.0), QualityReport(), max_spread=2.0)
    assert (decision.label, decision.reasons) == ("benign", ())
    assert decision.probability == pytest.approx(1 / (1 + math.exp(3.5)))


def test_a_spread_beyond_the_limit_is_uncertain() -> None:
    logits = (-6.0, -7.0, -10.2)
    assert POLICY.spread(logits) == pytest.approx(2.1)
    decision = POLICY.decide_burst(logits, QualityReport(), max_spread=2.0)
    assert (decision.label, decision.refer, decision.reasons) == ("uncertain", True, (FRAMES_DISAGREE,))


def test_frames_on_both_sides_of_the_operating_point_are_uncertain() -> None:
    at = math.log(0.2 / 0.8) * 2.0
    decision = POLICY.decide_burst((at - 0.1, at + 1.5), QualityReport(), max_spread=9.0)
    assert decision.probability > 0.25
    assert (decision.label, decision.reasons) == ("uncertain", (FRAMES_DISAGREE,))
    assert POLICY.decide_burst((at, at + 1.5), QualityReport(), max_spread=9.0).label == "malignant"


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=8), st.floats(0, 10))
def test_more_frames_never_make_a_disagreement_vanish(logits: list[float], limit: float) -> None:
    few = POLICY.decide_burst(logits, QualityReport(), max_spread=limit)
    more = POLICY.decide_burst([*logits, logits[0]], QualityReport(), max_spread=limit)
    if FRAMES_DISAGREE in few.reasons:
        assert FRAMES_DISAGREE in more.reasons
    if len(logits) == 1:
        assert FRAMES_DISAGREE not in few.reasons


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(default_bundle_path(), trusted=True)


def frame(number: int, name: str | None = None, blur: float = 0.0) -> Frame:
    pixels = draw(0, number).pixels
    if blur:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), blur), np.uint8)
    return Frame(pixels, name=name or f"frame {number}", source="test")


def test_one_frame_is_as_it_ever_was(classifier: Classifier) -> None:
    record = Session(classifier).process(frame(0)).record
    assert record.burst is None
    assert record.logit == classifier.classify(frame(0).pixels)[0].logit


def test_the_record_says_how_many_frames_it_rests_on(classifier: Classifier) -> None:
    frames = [frame(0, "soft", blur=12.0), frame(0, "a"), frame(0, "b"), frame(0, "c")]
    session = Session(classifier, burst=BurstRule(best=2))
    outcome = session.process_burst(frames)
    burst = outcome.record.burst
    assert burst is not None
    assert (burst.taken, burst.refused, burst.used, burst.views, burst.spread) == (4, 1, 2, 1, 0.0)
    assert outcome.record.quality.ok
    assert outcome.frame.name == outcome.record.image == "a"
    assert outcome.record.reasons == session.process(frame(0)).record.reasons


def test_the_logit_is_the_mean_and_the_spread_is_calibrated(classifier: Classifier) -> None:
    frames = [frame(0), frame(1)]
    assert all(assess(f.pixels).ok for f in frames)
    record = Session(classifier, burst=BurstRule(max_spread=0.0)).process_burst(frames).record
    logits = [classifier.classify(f.pixels)[0].logit for f in frames]
    assert record.logit == pytest.approx(sum(logits) / 2)
    assert record.burst is not None
    assert record.burst.spread == pytest.approx(abs(logits[0] - logits[1]) / record.temperature)
    assert record.burst.spread > 0
    assert FRAMES_DISAGREE in record.reasons
    assert record.label == "uncertain"


def test_a_burst_of_refused_frames_is_uncertain_for_its_quality_alone(classifier: Classifier) -> None:
    frames = [frame(0, blur=14.0), frame(3, blur=12.0)]
    record = Session(classifier).process_burst(frames).record
    assert record.burst is not None
    assert (record.burst.refused, record.burst.used) == (2, 1)
    assert record.label == "uncertain"
    assert POOR_QUALITY in record.reasons
    assert FRAMES_DISAGREE not in record.reasons


def test_the_kept_picture_and_map_are_those_of_the_best_frame(classifier: Classifier, tmp_path: Path) -> None:
    frames = [frame(0, "soft", blur=3.0), frame(0, "sharp")]
    maps = tmp_path / "maps"
    maps.mkdir()
    with ResultsLog(tmp_path) as log:
        outcome = Session(
            classifier, keeping=Keeping(log, ImageStore(tmp_path)), explain_dir=maps
        ).process_burst(frames)
        (row,) = log.list()
    assert row == outcome.record
    assert row.image == "sharp"
    kept = cv2.imread(str(tmp_path / str(row.image_path)))
    np.testing.assert_array_equal(kept[:, :, ::-1], frames[1].pixels)
    assert row.explanation_path == str(maps / f"{row.result_id}.png")
    assert cv2.imread(row.explanation_path) is not None
