"""What views and bursts are worth: AUROC and cost by views and frames, and the spread of a steady burst.

    python benchmarks/burst.py [--run runs/student] [--out docs/results]

Reads the validation and test lesions of a training run (`split.csv`, `table.csv`) with the shipped bundle.
Views are the eight flips and rotations. A burst is simulated from one picture: five frames as a hand that
holds still moves, which is an assumption and not a recording: shift sd 1.5 % of the side, rotation sd 3
degrees, scale sd 2 %, light sd 4 %, sensor noise sd 2 grey levels. Several photographs of one lesion, as
HAM10000 has them, differ by more (magnification, day, device) and stand beside it as the other extreme.
Writes `views.csv` (AUROC, its paired difference to one view, and milliseconds) and `burst.csv` (spread).
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from skin_edge_training.paired import paired_difference
from skin_edge_training.statistics import auroc, draw_weights

from skin_edge.camera.decode import read_image
from skin_edge.decision import DecisionPolicy
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.model.views import VIEW_COUNTS

ROOT = Path(__file__).resolve().parents[1]
SEED = 20260101
FRAMES = 5
BEST = 3
COST_ROUNDS = 300
Rgb = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float64]


def held_still(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """One frame of a simulated burst."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 3.0), rng.normal(1.0, 0.02))
    turn[:, 2] += rng.normal(0, 0.015 * side, 2)
    moved = cv2.warpAffine(
        rgb, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    lit = moved.astype(np.float32) * rng.normal(1.0, 0.04) + rng.normal(0, 2.0, moved.shape)
    return np.clip(np.round(lit), 0, 255).astype(np.uint8)


def lesions(run: Path, part: str) -> pd.DataFrame:
    table = pd.read_csv(run / "table.csv")
    table = table[table["part"] == part].reset_index(drop=True)
    # paths in the table are relative to the folder that the run was made in
    table["path"] = [(run.resolve().parents[1] / path).resolve() for path in table["path"]]
    return table


def view_logits(classifier: Classifier, pictures: list[Rgb]) -> dict[int, Vector]:
    return {
        views: np.array([classifier.classify(p, views=views)[0].logit for p in pictures])
        for views in VIEW_COUNTS
    }


def cost_ms(classifier: Classifier, picture: Rgb) -> dict[int, float]:
    """Median milliseconds of stages and network by views, in turn."""
    times: dict[int, list[float]] = {views: [] for views in VIEW_COUNTS}
    for _ in range(COST_ROUNDS):
        for views in VIEW_COUNTS:
            started = time.perf_counter()
            classifier.classify(picture, views=views)
            times[views].append((time.perf_counter() - started) * 1e3)
    return {views: statistics.median(values) for views, values in times.items()}


def views_rows(name: str, table: pd.DataFrame, by_views: dict[int, Vector], burst: npt.NDArray[np.float64],
               cost: dict[int, float]) -> list[dict[str, object]]:  # fmt: skip
    labels = table["malignant"].to_numpy(np.float64)
    draws = draw_weights(labels, table["group"].to_numpy(np.int64), seed=SEED)
    one, ones = by_views[1], np.ones(len(labels))
    ways = {f"1 frame, {views} views": (scores, cost[views]) for views, scores in by_views.items()}
    ways["1 frame of a hand held still"] = (burst[:, 0], cost[1])
    ways[f"{BEST} frames of a hand held still"] = (burst[:, :BEST].mean(axis=1), BEST * cost[1])
    ways[f"{FRAMES} frames of a hand held still"] = (burst.mean(axis=1), FRAMES * cost[1])
    rows = []
    for way, (scores, milliseconds) in ways.items():
        gap = paired_difference(auroc, labels, [(scores, one)], draws)
        rows.append(
            {
                "lesions": name, "pictures": len(labels), "seen": way,
                "auroc": f"{auroc(labels, scores, ones):.4f}",
                "to_one_view": f"{gap.value:+.4f}", "low": f"{gap.low:+.4f}", "high": f"{gap.high:+.4f}",
                "ms": f"{milliseconds:.2f}", "cost": f"{milliseconds / cost[1]:.2f}",
            }
        )  # fmt: skip
    return rows
