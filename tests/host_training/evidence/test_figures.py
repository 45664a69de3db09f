"""Every figure of a small made-up set, counted by hand, at the shipped bundle's operating points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from skin_edge.errors import UsageError
from skin_edge.model.bundle import open_bundle
from skin_edge.model.locate import default_bundle_path
from skin_edge_training.evidence import curves
from skin_edge_training.evidence.document import Evidence, LeftOut
from skin_edge_training.evidence.figures import measure
from skin_edge_training.evidence.labels import LabelledSet
from skin_edge_training.evidence.tables import tables
from skin_edge_training.statistics import draw_weights

BUNDLE = open_bundle(default_bundle_path())
DEFAULT = next(
    p for p in BUNDLE.manifest.operating_points if p.name == BUNDLE.manifest.default_operating_point
)


def _predictions(size: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    labels = (rng.random(size) < 0.3).astype(float)
    logits = rng.normal(3 * labels - 2.5, 1.5)
    scores = expit(logits)
    return pd.DataFrame(
        {
            "image_id": [f"i{n}" for n in range(size)],
            "malignant": labels,
            "group": np.arange(size) // 2,
            "sex": np.where(np.arange(size) % 3, "female", "male"),
            "note": [f"written about {n}" for n in range(size)],
            "logit": logits,
            "probability": scores,
            "answer": np.where(scores >= DEFAULT.threshold, "malignant", "benign"),
            "refer": scores >= DEFAULT.threshold,
            "quality_ok": np.arange(size) % 50 != 0,
            "quality_reasons": np.where(np.arange(size) % 50 != 0, "", "too-dark out-of-focus"),
        }
    )


def _set(predictions: pd.DataFrame, **changes: object) -> LabelledSet:
    given: dict[str, object] = {
        "name": "made up",
        "table": predictions,
        "kinds": ("sex", "note"),
        "grouped_by": "lesion_id",
        "labels_sha256": "0" * 64,
        "left_out": LeftOut(),
    }
    return LabelledSet(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    predictions = _predictions()
    return measure(predictions, _set(predictions), "1" * 64, BUNDLE, seed=3, resamples=200)


def test_operating_points_are_the_bundles_and_counted(evidence: Evidence) -> None:
    predictions = _predictions()
    assert [p.threshold for p in evidence.operating_points] == [
        p.threshold for p in BUNDLE.manifest.operating_points
    ]
    for point in evidence.operating_points:
        flagged = predictions["probability"] >= point.threshold
        truth = predictions["malignant"] == 1
        confusion = point.confusion
        assert confusion.true_positive == (flagged & truth).sum()
        assert confusion.false_positive == (flagged & ~truth).sum()
        assert confusion.false_negative == (~flagged & truth).sum()
        assert confusion.true_negative == (~flagged & ~truth).sum()
        tp, fp, fn, tn = (
            confusion.true_positive,
            confusion.false_positive,
            confusion.false_negative,
            confusion.true_negative,
        )
        for found, value in (
            (point.sensitivity, tp / (tp + fn)),
            (point.specificity, tn / (tn + fp)),
            (point.ppv, tp / (tp + fp)),
            (point.npv, tn / (tn + fn)),
            (point.accuracy, (tp + tn) / 400),
        ):
            assert found is not None
            assert found.value == pytest.approx(value)
            assert found.low < found.value < found.high
    assert [p.default for p in evidence.operating_points].count(True) == 1


def test_the_gate_flags_and_drops_nothing(evidence: Evidence) -> None:
    assert evidence.data.images == 400
    assert evidence.quality_gate.refused == 8
    assert evidence.quality_gate.reasons == {"too-dark": 8, "out-of-focus": 8}
    apart = {group.value: group.images for group in evidence.subgroups if group.kind == "quality gate"}
    assert apart == {"passed": 392, "refused": 8}


def test_a_column_that_names_pictures_is_said_to_be_left_aside(evidence: Evidence) -> None:
    assert {group.kind for group in evidence.subgroups} == {"sex", "quality gate"}
    assert any("'note'" in caution for caution in evidence.cautions)


def test_answers_add_up(evidence: Evidence) -> None:
    assert sum(evidence.answers.malignant.values()) == evidence.data.malignant
    assert sum(evidence.answers.benign.values()) == 400 - evidence.data.malignant
    default = next(p for p in evidence.operating_points if p.default)
    assert evidence.answers.malignant["malignant"] == default.confusion.true_positive


def test_reliability_bins_hold_the_set_and_make_the_calibration_error(evidence: Evidence) -> None:
    bins = evidence.reliability
    assert [b.images for b in bins] == [40] * 10
    gaps = [abs(b.malignant.value - b.mean_probability) for b in bins if b.malignant is not None]
    ece = evidence.figures["ece"]
    assert ece is not None
    assert ece.value == pytest.approx(np.mean(gaps))


def test_abstaining_leaves_the_nearest_out_first() -> None:
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], float)
    # Wrong only where nearest to the threshold of one half.
    scores = np.array([0.55, 0.45, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9])
    draws = draw_weights(labels, np.arange(10), seed=0, resamples=100)
    found = {point.coverage: point for point in curves.abstention(labels, scores, 0.5, draws)}
    assert found[1.0].error is not None
    assert found[1.0].error.value == pytest.approx(0.2)
    assert found[0.8].error is not None
    assert found[0.8].error.value == 0.0
    errors = [point.error.value for point in found.values() if point.error is not None]
    assert errors == sorted(errors, reverse=True)


def test_predictive_values_follow_prevalence(evidence: Evidence) -> None:
    default = next(p for p in evidence.operating_points if p.default)
    assert default.sensitivity is not None
    assert default.specificity is not None
    points = [p for p in evidence.prevalence if p.operating_point == default.name]
    assert [p.prevalence for p in points] == list(curves.PREVALENCES)
    hits = default.sensitivity.value * 0.02
    alarms = (1 - default.specificity.value) * 0.98
    at_two_percent = next(p for p in points if p.prevalence == 0.02)
    assert at_two_percent.ppv is not None
    assert at_two_percent.ppv.value == pytest.approx(hits / (hits + alarms))
    values = [p.ppv.value for p in points if p.ppv is not None]
    assert values == sorted(values)


def test_the_same_seed_gives_the_same_document(evidence: Evidence) -> None:
    predictions = _predictions()
    assert measure(predictions, _set(predictions), "1" * 64, BUNDLE, seed=3, resamples=200) == evidence
    other = measure(predictions, _set(predictions), "1" * 64, BUNDLE, seed=4, resamples=200)
    assert other.figures["auroc"] != evidence.figures["auroc"]


def test_cautions_say_what_weakens_the_figures() -> None:
    predictions = _predictions(60)
    alone = measure(
        predictions,
        _set(predictions, grouped_by="image_id", split_sha256="f" * 64),
        "1" * 64,
        BUNDLE,
        seed=0,
        resamples=100,
    )
    text = " ".join(alone.cautions)
    assert "name no lesions" in text
    assert "another split" in text
    assert "lesions of one of the classes" in text
    assert not any("split" in c or "audit" in c for c in _cautions_of_own_split())


def test_of_a_foreign_set_it_is_said_that_it_may_have_been_trained_on(evidence: Evidence) -> None:
    assert any("train data audit" in caution for caution in evidence.cautions)


def _cautions_of_own_split() -> tuple[str, ...]:
    predictions = _predictions(60)
    own = _set(predictions, split_sha256=BUNDLE.manifest.training.split_sha256)
    return measure(predictions, own, "1" * 64, BUNDLE, seed=0, resamples=100).cautions


def test_one_class_is_refused() -> None:
    predictions = _predictions(60).assign(malignant=0.0)
    with pytest.raises(UsageError, match="same label"):
        measure(predictions, _set(predictions), "1" * 64, BUNDLE, seed=0, resamples=100)


def test_tables_hold_the_figures(evidence: Evidence, tmp_path: Path) -> None:
    written = tables(evidence)
    for name, data in written.items():
        (tmp_path / name).write_bytes(data)
    figures = pd.read_csv(tmp_path / "figures.csv").set_index("figure")
    auroc = evidence.figures["auroc"]
    assert auroc is not None
    assert figures.loc["auroc"].to_list() == pytest.approx([auroc.value, auroc.low, auroc.high], rel=1e-6)
    points = pd.read_csv(tmp_path / "operating_points.csv")
    assert list(points["true_positive"]) == [p.confusion.true_positive for p in evidence.operating_points]
    assert list(points["sensitivity_low"]) == pytest.approx(
        [p.sensitivity.low for p in evidence.operating_points if p.sensitivity is not None], rel=1e-6
    )
    assert len(pd.read_csv(tmp_path / "subgroups.csv")) == len(evidence.subgroups)
