"""Predictions to evidence: every figure with its interval, nothing chosen here.

Thresholds, temperature and abstain band are the bundle's, chosen on its validation lesions. Only the figures
named `sensitivity at specificity ...` and the reverse look for a threshold on the set itself: they describe
the ROC curve and promise nothing of an operating point.
"""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import confusion_matrix

from skin_edge import __version__
from skin_edge.model.bundle import Bundle
from skin_edge.model.manifest import Estimate, OperatingPoint
from skin_edge_training.evaluate import SCORE_METRICS, decision_metrics
from skin_edge_training.evidence import curves
from skin_edge_training.evidence.document import (
    Answers,
    Bootstrap,
    Confusion,
    DataSet,
    Evidence,
    Model,
    OperatingPointFigures,
    QualityGate,
)
from skin_edge_training.evidence.labels import LabelledSet
from skin_edge_training.evidence.subgroups import kinds_of, measure_subgroups
from skin_edge_training.provenance import git_commit
from skin_edge_training.statistics import (
    RESAMPLES,
    Metric,
    Vector,
    draw_weights,
    intervals,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    weighted_share,
)

FIXED_SPECIFICITIES = (0.80, 0.90, 0.95)
FIXED_SENSITIVITIES = (0.80, 0.90, 0.95)

#: Groups with a malignant, and with a benign picture, below which a bootstrap's intervals are too narrow.
FEW_GROUPS = 20

ANSWERS = ("benign", "uncertain", "malignant")
LIBRARIES = ("numpy", "opencv-python-headless", "pandas", "scikit-learn", "scipy")


def measure(
    predictions: pd.DataFrame,
    labelled: LabelledSet,
    images_sha256: str,
    bundle: Bundle,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Evidence:
    """Return all figures of a bundle on a labelled set.

    Args:
        predictions: from `predict`, of both classes.
        labelled: the set that they were made of.
        images_sha256: from `predict`.
        bundle: what made them.
        seed: of the bootstrap.
        resamples: draws of the bootstrap.

    Raises:
        UsageError: the predictions are of one class only.
    """
    manifest = bundle.manifest
    labels = predictions["malignant"].to_numpy(np.float64)
    scores = predictions["probability"].to_numpy(np.float64)
    groups = predictions["group"].to_numpy(np.int64)
    draws = draw_weights(labels, groups, seed=seed, resamples=resamples)
    thresholds = {point.name: point.threshold for point in manifest.operating_points}
    default = thresholds[manifest.default_operating_point]
    band = (manifest.abstain_band.low, manifest.abstain_band.high)
    decided = intervals(decision_metrics(thresholds, band), labels, scores, draws)
    ranked = intervals({**SCORE_METRICS, **_fixed_rates()}, labels, scores, draws)
    points = tuple(
        _operating_point(p, p.name == manifest.default_operating_point, labels, scores, draws, decided)
        for p in manifest.operating_points
    )
    roc, reliability = curves.roc(labels, scores, draws), curves.reliability(labels, scores, draws)
    abstention = curves.abstention(labels, scores, default, draws)
    prevalence = curves.by_prevalence(labels, scores, thresholds, draws)
    kinds = {name: kinds_of(predictions[name], name) for name in labelled.kinds}
    gate = pd.Categorical(np.where(predictions["quality_ok"], "passed", "refused"))
    broken_down = {name: values for name, values in kinds.items() if values is not None}
    subgroups = measure_subgroups(predictions, broken_down | {"quality gate": gate}, default, band, draws)
    refusals = Counter(reason for reasons in predictions["quality_reasons"] for reason in reasons.split())
    refused, everyone = np.asarray(gate == "refused"), np.ones_like(labels)
    cautions = (
        *_cautions(bundle, labelled, labels, groups),
        *(f"The column {name!r} names no kinds of picture." for name in kinds if name not in broken_down),
    )
    return Evidence(
        cautions=cautions,
        model=Model(
            name=manifest.name,
            version=manifest.version,
            model_sha256=bundle.model_sha256,
            trained_on=manifest.training.data,
            split_sha256=manifest.training.split_sha256,
            leaks=manifest.training.leaks,
            temperature=manifest.temperature,
            seed=manifest.training.seed,
            data_sha256=manifest.training.data_sha256,
            experiment_sha256=manifest.training.experiment_sha256,
            git_commit=manifest.training.git_commit,
        ),
        data=DataSet(
            name=labelled.name,
            images=len(labels),
            groups=len(np.unique(groups)),
            grouped_by=labelled.grouped_by,
            malignant=int(labels.sum()),
            prevalence=float(labels.mean()),
            labels_sha256=labelled.labels_sha256,
            images_sha256=images_sha256,
        ),
        figures=ranked | decided,
        operating_points=points,
        reliability=reliability,
        roc=roc,
        abstention=abstention,
        prevalence=prevalence,
        subgroups=subgroups,
        quality_gate=QualityGate(
            refused=int(refused.sum()),
            share=intervals({"refused": curves.fixed_share(refused, everyone)}, labels, scores, draws)[
                "refused"
            ],
            reasons=dict(refusals.most_common()),
        ),
        answers=_answers(predictions),
        left_out=labelled.left_out,
        bootstrap=Bootstrap(level=0.95, resamples=resamples, seed=seed, unit=labelled.grouped_by),
        git_commit=git_commit(),
        versions={"skin-edge": __version__} | {name: version(name) for name in LIBRARIES},
    )


def _fixed_rates() -> dict[str, Metric]:
    return {
        "accuracy at probability 0.50": lambda labels, scores, weights: weighted_share(
            (scores >= 0.5) == (labels == 1), np.ones_like(labels), weights
        ),
        **{f"sensitivity at specificity {s:.2f}": sensitivity_at_specificity(s) for s in FIXED_SPECIFICITIES},
        **{f"specificity at sensitivity {s:.2f}": specificity_at_sensitivity(s) for s in FIXED_SENSITIVITIES},
    }


def _operating_point(
    point: OperatingPoint,
    default: bool,
    labels: Vector,
    scores: Vector,
    draws: npt.NDArray[np.uint16],
    decided: dict[str, Estimate | None],
) -> OperatingPointFigures:
    flagged, truth = scores >= point.threshold, labels == 1
    found = intervals(
        {
            "ppv": curves.fixed_share(truth, flagged),
            "npv": curves.fixed_share(~truth, ~flagged),
            "accuracy": curves.fixed_share(truth == flagged, np.ones_like(labels)),
        },
        labels,
        scores,
        draws,
    )
    (tn, fp), (fn, tp) = confusion_matrix(truth, flagged, labels=[False, True]).tolist()
    return OperatingPointFigures(
        name=point.name,
        default=default,
        threshold=point.threshold,
        chosen_on=point.chosen_on,
        sensitivity=decided.pop(f"{point.name} sensitivity"),
        specificity=decided.pop(f"{point.name} specificity"),
        ppv=found["ppv"],
        npv=found["npv"],
        accuracy=found["accuracy"],
        confusion=Confusion(true_positive=tp, false_negative=fn, false_positive=fp, true_negative=tn),
        stated_sensitivity=point.sensitivity,
        stated_specificity=point.specificity,
    )


def _answers(predictions: pd.DataFrame) -> Answers:
    counted = pd.crosstab(predictions["malignant"], predictions["answer"])
    counted = counted.reindex(index=[0.0, 1.0], columns=list(ANSWERS), fill_value=0)
    return Answers(
        malignant={answer: int(counted.loc[1.0, answer]) for answer in ANSWERS},
        benign={answer: int(counted.loc[0.0, answer]) for answer in ANSWERS},
    )


def _cautions(
    bundle: Bundle, labelled: LabelledSet, labels: Vector, groups: npt.NDArray[np.int64]
) -> tuple[str, ...]:
    found = []
    if bundle.manifest.training.leaks:
        found.append(
            "LEAKING SPLIT: this model was trained on lesions of its test part: its figures are no evidence."
        )
    if labelled.grouped_by == "image_id":
        found.append(
            "The labels name no lesions: each picture counts as one, and where a lesion is shown more than "
            "once the intervals are too narrow."
        )
    if labelled.split_sha256 is None:
        found.append(
            "Whether the model was trained on pictures of these lesions is not known here: compare this set "
            "with its training data by 'skin-edge train data audit'."
        )
    elif labelled.split_sha256 != bundle.manifest.training.split_sha256:
        found.append("The bundle was trained on another split than this: it may have seen these pictures.")
    fewest = min(len(np.unique(groups[labels == label])) for label in (0, 1))
    if fewest < FEW_GROUPS:
        found.append(f"Only {fewest} lesions of one of the classes: the intervals are rough and too narrow.")
    return tuple(found)
