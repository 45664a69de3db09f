"""Did distillation help? The student against its undistilled control arm and against its teacher.

All three are judged on the same held-out lesions, and what is drawn for the interval is the lesion, the same
for both of a pair. Where the interval holds zero, the answer is that no difference was shown.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd

from skin_edge.errors import UsageError
from skin_edge.strict import Strict
from skin_edge_training.paired import Difference, paired_difference
from skin_edge_training.run import Run
from skin_edge_training.statistics import (
    Metric,
    Vector,
    auroc,
    average_precision,
    draw_weights,
    specificity_at_sensitivity,
)
from skin_edge_training.train_teacher import read_predictions

METRICS: dict[str, Metric] = {
    "auroc": auroc,
    "auprc": average_precision,
    "specificity at sensitivity 0.90": specificity_at_sensitivity(0.90),
}


class Comparison(Strict, frozen=True):
    """One part of the split: figures of each network, and the student's less the others'.

    `control` and `teacher` are None where there is no such network.
    """

    student: dict[str, float]
    control: dict[str, float] | None
    teacher: dict[str, float] | None
    student_less_control: dict[str, Difference] | None
    student_less_teacher: dict[str, Difference] | None


class Distillation(Strict, frozen=True):
    """RUN/distillation.json."""

    verdict: str
    parts: dict[str, Comparison]


def compare_distillation(run: Run, control: Run | None, teacher: Run | None) -> Distillation:
    """Compare the quantized student of `run` with that of `control` and with a teacher; keep the result.

    Raises:
        UsageError: a step is missing, or the runs hold out different pictures.
    """
    students = pd.read_csv(run.require("predictions.csv", "quantize"))
    controls = None if control is None else pd.read_csv(control.require("predictions.csv", "quantize"))
    if controls is not None and not students["image_id"].equals(controls["image_id"]):
        raise UsageError(f"{run.directory} and its control arm hold out different pictures")
    config = run.config()
    seed, plan = config.seed, config.distillation
    parts = {}
    for part in ("validation", "test"):
        rows = (students["part"] == part).to_numpy()
        taught = None
        if teacher is not None:
            seen = read_predictions(teacher, part).set_index("image_id")["logit_teacher"]
            taught = seen.loc[students.loc[rows, "image_id"]].to_numpy(np.float64)
        other = None if controls is None else controls.loc[rows, "logit_tflite"].to_numpy(np.float64)
        if taught is not None and other is not None and plan is not None and plan.control_teaches:
            taught = (taught + other) / 2  # as the student heard them
        parts[part] = _compare(students[rows], other, taught, seed)
    found = Distillation(verdict=_verdict(parts["test"]), parts=parts)
    run.write("distillation.json", msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    return found


def read_verdict(run: Run) -> str | None:
    """What came of the comparison, a sentence; None where there was none."""
    path = run.path("distillation.json")
    return msgspec.json.decode(path.read_bytes(), type=Distillation).verdict if path.exists() else None


def _compare(students: pd.DataFrame, control: Vector | None, teacher: Vector | None, seed: int) -> Comparison:
    labels = students["malignant"].to_numpy(np.float64)
    logits = students["logit_tflite"].to_numpy(np.float64)
    draws = draw_weights(labels, students["group"].to_numpy(np.int64), seed=seed)
    once = np.ones(len(labels))

    def figures(scores: Vector) -> dict[str, float]:
        return {name: float(metric(labels, scores, once)) for name, metric in METRICS.items()}

    def less(others: Vector) -> dict[str, Difference]:
        return {n: paired_difference(m, labels, [(logits, others)], draws) for n, m in METRICS.items()}

    return Comparison(
        student=figures(logits),
        control=None if control is None else figures(control),
        teacher=None if teacher is None else figures(teacher),
        student_less_control=None if control is None else less(control),
        student_less_teacher=None if teacher is None else less(teacher),
    )


def _verdict(test: Comparison) -> str:
    if test.student_less_control is None:
        return "No control arm: whether distillation helped is not known."
    gain = test.student_less_control["auroc"]
    said = {
        "better": "Distillation helped",
        "worse": "Distillation hurt",
        "no difference shown": "Distillation did not measurably help",
    }[gain.verdict]
    return f"{said}: AUROC {gain} against the same student without a teacher, by lesion on the test part."
