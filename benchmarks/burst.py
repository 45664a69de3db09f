"""What views and bursts are worth: AUROC and cost by views and frames, and the spread of a steady burst.

    python benchmarks/burst.py [--run runs/student] [--out docs/results]

Reads the validation and test lesions of a training run (`split.csv`, `table.csv`) with the shipped bundle.
Views are the eight flips and rotations. A burst is simulated from one picture: five frames as a hand that
holds still moves, which is an assumption and not a recording: shift sd 1.5 % of the side, rotation sd 3
degrees, scale sd 2 %, light sd 4 %, sensor noise sd 2 grey levels. Several photographs of one lesion, as
HAM10000 has them, differ by more (magnification, day, device) and stand beside it as the other extreme.
Writes `views.csv` (AUROC, its paired difference to one view, and milliseconds) and `burst.csv`: spread, what
the limits on it do, and what ranking the frames by focus and exposure is worth where a hand shakes.
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

from skin_edge.burst import BurstRule, select
from skin_edge.camera.decode import read_image
from skin_edge.decision import DecisionPolicy
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.model.views import VIEW_COUNTS
from skin_edge.quality import assess
from skin_edge_training.paired import paired_difference
from skin_edge_training.statistics import auroc, draw_weights

ROOT = Path(__file__).resolve().parents[1]
SEED = 20260101
FRAMES = 5
BEST = 3
LIMIT = BurstRule().max_spread
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
    """Milliseconds of CPU time of stages and network by views: other work on the machine adds none."""
    times: dict[int, list[float]] = {views: [] for views in VIEW_COUNTS}
    for _ in range(COST_ROUNDS):
        for views in VIEW_COUNTS:
            started = time.process_time()
            classifier.classify(picture, views=views)
            times[views].append((time.process_time() - started) * 1e3)
    return {views: statistics.quantiles(values, n=10)[0] for views, values in times.items()}


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
                "cpu_ms": f"{milliseconds:.2f}", "cost": f"{milliseconds / cost[1]:.2f}",
            }
        )  # fmt: skip
    return rows


def shaken(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """A frame that the quality gate may or may not refuse: blurred by 0.5 to 3 % of the side."""
    sigma = rng.uniform(0.005, 0.03) * min(rgb.shape[:2])
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma), np.uint8)


def ranking_rows(
    name: str, classifier: Classifier, table: pd.DataFrame, pictures: list[Rgb]
) -> list[dict[str, object]]:
    """Bursts of five of which three random ones are shaken: the first three frames against the best three."""
    rng = np.random.default_rng(SEED + 1)
    labels = table["malignant"].to_numpy(np.float64)
    logits = np.empty((len(pictures), FRAMES))
    chosen, sharp_chosen = [], 0
    for at, picture in enumerate(pictures):
        spoiled = set(rng.permutation(FRAMES)[:3])
        frames = [held_still(picture, rng) for _ in range(FRAMES)]
        frames = [shaken(frame, rng) if number in spoiled else frame for number, frame in enumerate(frames)]
        best = select([assess(frame) for frame in frames], BEST)
        chosen.append(best)
        sharp_chosen += best[0] not in spoiled
        logits[at] = [classifier.classify(frame)[0].logit for frame in frames]
    first = logits[:, :BEST].mean(axis=1)
    best_of = np.array([logits[at, list(best)].mean() for at, best in enumerate(chosen)])
    draws = draw_weights(labels, table["group"].to_numpy(np.int64), seed=SEED)
    gap = paired_difference(auroc, labels, [(best_of, first)], draws)
    ones = np.ones(len(labels))
    return [
        figure(name, "ranking", "first three, three of five shaken: AUROC", auroc(labels, first, ones)),
        figure(name, "ranking", "best three, three of five shaken: AUROC", auroc(labels, best_of, ones)),
        figure(name, "ranking", "gain, paired over lesions", gap.value, f"{gap.low:+.4f} to {gap.high:+.4f}"),
        figure(name, "ranking", "share whose best frame is not shaken", sharp_chosen / len(labels)),
    ]  # fmt: skip


def spread_rows(
    name: str, policy: DecisionPolicy, table: pd.DataFrame, single: Vector, burst: npt.NDArray[np.float64]
) -> list[dict[str, object]]:
    """How far frames lie apart (calibrated log-odds), and what follows for the answers."""
    calibrated = burst / policy.temperature
    malignant = table["malignant"].to_numpy() == 1
    rows = []
    for frames in (BEST, FRAMES):
        spread = np.ptp(calibrated[:, :frames], axis=1)
        for quantile in (0.5, 0.9, 0.99):
            rows.append(
                figure(name, f"{frames} frames of a hand held still", f"spread, quantile {quantile}",
                       np.quantile(spread, quantile))
            )  # fmt: skip
        rows.append(
            figure(name, f"{frames} frames of a hand held still", f"share with a spread above {LIMIT}",
                   (spread > LIMIT).mean())
        )  # fmt: skip
    photographs = [
        g.to_numpy() / policy.temperature for _, g in pd.Series(single).groupby(table["lesion_id"])
    ]
    spread = np.array([np.ptp(values) for values in photographs if len(values) > 1])
    what = "photographs of one lesion, different days or magnification"
    rows.append(figure(name, what, "lesions", len(spread)))
    rows.append(figure(name, what, "spread, quantile 0.5", np.median(spread)))
    rows.append(figure(name, what, f"share with a spread above {LIMIT}", (spread > LIMIT).mean()))
    rng = np.random.default_rng(SEED)
    spread = np.array([np.ptp(rng.choice(single, BEST)) / policy.temperature for _ in range(5000)])
    what = f"{BEST} different lesions taken for one"
    rows.append(figure(name, what, f"share with a spread above {LIMIT}", (spread > LIMIT).mean()))
    rows += straddling_rows(name, policy, malignant, burst[:, :BEST])
    return rows


def straddling_rows(
    name: str, policy: DecisionPolicy, malignant: npt.NDArray[np.bool_], burst: npt.NDArray[np.float64]
) -> list[dict[str, object]]:
    """Frames on both sides of the operating point: how often, and how often their mean is wrong."""
    probability = np.vectorize(policy.probability)
    above = probability(burst) >= policy.threshold
    mean = probability(burst.mean(axis=1))
    wrong = (mean >= policy.threshold) != malignant
    straddles = above.any(axis=1) != above.all(axis=1)
    band = (mean >= policy.abstain_low) & (mean < policy.abstain_high)
    what = f"{BEST} frames on both sides of the operating point"
    return [
        figure(name, what, "share", straddles.mean()),
        figure(name, what, "share of it outside the abstain band", (straddles & ~band).mean()),
        figure(name, what, "their mean on the wrong side", wrong[straddles].mean()),
        figure(name, "all other bursts", "their mean on the wrong side", wrong[~straddles].mean()),
    ]


def figure(lesions: str, what: str, measured: str, value: float, interval: str = "") -> dict[str, object]:
    return {
        "lesions": lesions, "what": what, "figure": measured, "value": f"{value:.4g}", "interval": interval,
    }  # fmt: skip


def save(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print("  ".join(str(value) for value in row.values()))
    print(f"saved to {path}")


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, default=ROOT / "runs/student")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = Classifier.load(default_bundle_path(), trusted=True)
    policy = DecisionPolicy.from_manifest(classifier.bundle.manifest)
    views: list[dict[str, object]] = []
    bursts: list[dict[str, object]] = []
    for part in ("validation", "test"):
        table = lesions(options.run, part)
        pictures = [read_image(path) for path in table["path"]]
        by_views = view_logits(classifier, pictures)
        rng = np.random.default_rng(SEED)
        burst = np.array(
            [[classifier.classify(held_still(p, rng))[0].logit for _ in range(FRAMES)] for p in pictures]
        )
        views += views_rows(part, table, by_views, burst, cost_ms(classifier, pictures[0]))
        bursts += spread_rows(part, policy, table, by_views[1], burst)
        bursts += ranking_rows(part, classifier, table, pictures)
    save(options.out / "views.csv", views)
    save(options.out / "burst.csv", bursts)


if __name__ == "__main__":
    main()
