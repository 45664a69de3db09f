"""What an arm is worth on validation lesions, and what it costs on a device, each against the base.

The difference is paired: same seeds, same pictures, and a bootstrap that draws the same lesions for both. The
test part is not looked at: an ablation chooses, and what chooses may not measure.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from skin_edge.camera.decode import read_image
from skin_edge.camera.drawing import draw
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge_training.ablation.plan import BASE
from skin_edge_training.ablation.sweep import Job
from skin_edge_training.data.readers import find_set, read_sets
from skin_edge_training.paired import paired_difference
from skin_edge_training.statistics import (
    Vector,
    auroc,
    calibration_error,
    draw_weights,
    fit_temperature,
    specificity_at_sensitivity,
)

#: Drawn 1920x1080 frames that the cost of an arm is measured on, and calls of each.
COST_FRAMES, COST_ROUNDS = 4, 40
ELSEWHERE_PICTURES = 1500

COLUMNS = (
    *("arm", "factor", "seeds", "auroc", "spread", "difference", "low", "high", "verdict"),
    *("specificity_at_90", "ece", "auroc_elsewhere"),
    *("preprocess_ms", "invoke_ms", "cost_ratio", "size_bytes"),
)


def ablation_table(jobs: Sequence[Job], seed: int, elsewhere: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row an arm, columns `COLUMNS`, the base first.

    `auroc`, `specificity_at_90` (best threshold) and `ece` (temperature fitted on the same pictures) are
    means over seeds, `spread` is the range of AUROC between seeds. `difference` is the mean over the arm's
    seeds of its AUROC less the base's, `low` to `high` its 95 % interval. `cost_ratio` is preprocessing and
    invoke against the base.

    Args:
        jobs: all done.
        seed: of the bootstrap.
        elsewhere: path and malignant of pictures of other origin; `auroc_elsewhere` is the mean over seeds on
            them.
    """
    seen = {(job.arm, job.seed): pd.read_csv(job.directory / "validation.csv") for job in jobs}
    first = seen[BASE, jobs[0].seed]
    labels = first["malignant"].to_numpy(np.float64)
    draws = draw_weights(labels, first["group"].to_numpy(np.int64), seed=seed)
    once = np.ones(len(labels))
    arms = list(dict.fromkeys((job.arm, job.factor) for job in jobs))
    foreign = None if elsewhere is None else [read_image(Path(path)) for path in elsewhere["path"]]
    costs = device_costs([jobs_of(jobs, arm)[0] for arm, _ in arms])
    rows = []
    for arm, factor in arms:
        mine = jobs_of(jobs, arm)
        seeds = [job.seed for job in mine]
        logits: list[Vector] = [seen[arm, s]["logit"].to_numpy(np.float64) for s in seeds]
        bases: list[Vector] = [seen[BASE, s]["logit"].to_numpy(np.float64) for s in seeds]
        aurocs = [float(auroc(labels, z, once)) for z in logits]
        gap = paired_difference(auroc, labels, list(zip(logits, bases, strict=True)), draws)
        preprocess_ms, invoke_ms = costs[arm]
        result = json.loads((mine[0].directory / "result.json").read_text(encoding="utf-8"))
        rows.append(
            {
                "arm": arm,
                "factor": factor,
                "seeds": len(seeds),
                "auroc": np.mean(aurocs),
                "spread": max(aurocs) - min(aurocs),
                "difference": gap.value,
                "low": gap.low,
                "high": gap.high,
                "verdict": "" if arm == BASE else gap.verdict,
                "specificity_at_90": np.mean(
                    [float(specificity_at_sensitivity(0.90)(labels, z, once)) for z in logits]
                ),
                "ece": np.mean([_ece(labels, z) for z in logits]),
                "auroc_elsewhere": (
                    np.nan
                    if foreign is None or elsewhere is None
                    else np.mean(
                        [roc_auc_score(elsewhere["malignant"], logits_of(job, foreign)) for job in mine]
                    )
                ),
                "preprocess_ms": preprocess_ms,
                "invoke_ms": invoke_ms,
                "cost_ratio": (preprocess_ms + invoke_ms) / sum(costs[BASE]),
                "size_bytes": result["size_bytes"],
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def jobs_of(jobs: Sequence[Job], arm: str) -> list[Job]:
    """Return the jobs of an arm."""
    return [job for job in jobs if job.arm == arm]


def sample_elsewhere(names: Sequence[str], seed: int) -> pd.DataFrame | None:
    """Return path and malignant of up to `ELSEWHERE_PICTURES` pictures of some sets; None without a set."""
    if not names:
        return None
    table = read_sets([find_set(name) for name in names]).table
    table = table[table["label"].isin(("benign", "malignant"))]
    some = table.sample(min(ELSEWHERE_PICTURES, len(table)), random_state=seed)
    return pd.DataFrame({"path": some["file"], "malignant": (some["label"] == "malignant").astype(int)})


def logits_of(job: Job, pictures: Sequence[npt.NDArray[np.uint8]]) -> list[float]:
    """Return what an arm's network says of (H, W, 3) uint8 RGB pictures, through the device's stages."""
    preprocessor, network = on_a_device(job)
    return [network.predict(preprocessor(picture)).logit for picture in pictures]


def on_a_device(job: Job) -> tuple[Preprocessor, Network]:
    """Return the stages and the network of an arm as a device has them."""
    spec = job.config.preprocess
    side = spec.crop_resize.size_px
    return Preprocessor(spec), Network((job.directory / "student.tflite").read_bytes(), (side, side, 3))


def _ece(labels: Vector, logits: Vector) -> float:
    scores = expit(logits / fit_temperature(logits, labels))
    return float(calibration_error(labels, scores, np.ones(len(labels))))


def device_costs(jobs: Sequence[Job]) -> dict[str, tuple[float, float]]:
    """Return arm to medians in ms, on one thread, of preprocessing a 1920x1080 frame and of invoke.

    All arms take turns on the same frame, so that what else the machine does falls on all of them alike.
    """
    frames = [draw(0, number).pixels for number in range(COST_FRAMES)]
    ready = [(job.arm, *on_a_device(job)) for job in jobs]
    taken: dict[str, list[tuple[float, float]]] = {job.arm: [] for job in jobs}
    for number in range(COST_ROUNDS):
        for arm, preprocessor, network in ready:
            started = time.perf_counter()
            inputs = preprocessor(frames[number % COST_FRAMES])
            between = time.perf_counter()
            network.predict(inputs)
            ended = time.perf_counter()
            taken[arm].append((between - started, ended - between))
    medians = {arm: np.median(times, axis=0) * 1e3 for arm, times in taken.items()}
    return {arm: (float(both[0]), float(both[1])) for arm, both in medians.items()}
