"""How often the quality gate refuses real dermoscopic images, as they are and spoiled on purpose.

    python benchmarks/quality_gate.py [--data DIR] [--images 1500] [--out docs/results/quality_gate.csv]

Reads HAM10000 (200x150) and the test half of the Kaggle set (224x224) from SKIN_EDGE_DATA or ../shared/data.
The thresholds were set on HAM10000 itself, so its first row is not an independent test; the Kaggle set shares
many lesions with it. Neither has a record of skin type: the row "darkest tenth" stands in, by mean luma.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.camera.decode import read_image
from skin_edge.quality import OUT_OF_FOCUS, REASON_TEXT, TOO_BRIGHT, TOO_DARK, TOO_SMALL, assess

ROOT = Path(__file__).resolve().parent.parent
SEED = 20260101
Rgb = npt.NDArray[np.uint8]
Spoil = Callable[[Rgb, np.random.Generator], Rgb]


def blurred(part: float, noise_sd: float = 0.0) -> Spoil:
    """Gaussian blur with a sigma of `part` of the shorter side, then the sensor's noise in grey levels."""

    def spoil(rgb: Rgb, rng: np.random.Generator) -> Rgb:
        soft = cv2.GaussianBlur(rgb, (0, 0), part * min(rgb.shape[:2])) if part else rgb
        return noisy(np.asarray(soft, np.float32), noise_sd, rng)

    return spoil


def lit(gain: float, noise_sd: float = 0.0) -> Spoil:
    return lambda rgb, rng: noisy(rgb.astype(np.float32) * gain, noise_sd, rng)


def scaled(side_px: int) -> Spoil:
    def spoil(rgb: Rgb, rng: np.random.Generator) -> Rgb:
        factor = side_px / min(rgb.shape[:2])
        return np.asarray(cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)

    return spoil


def noisy(image: npt.NDArray[np.float32], sd: float, rng: np.random.Generator) -> Rgb:
    noise = rng.normal(0.0, sd, image.shape) if sd else 0.0
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


#: What is done, the reason that the gate should give (None: it should let it pass), and how it is done.
CONDITIONS: tuple[tuple[str, str | None, Spoil], ...] = (
    ("as it is", None, lambda rgb, rng: rgb),
    ("noise sd 5", None, blurred(0.0, 5.0)),
    ("light x0.5, noise sd 2", None, lit(0.5, 2.0)),
    ("blur sigma 1.5 % of side", OUT_OF_FOCUS, blurred(0.015)),
    ("blur sigma 2 % of side", OUT_OF_FOCUS, blurred(0.02)),
    ("blur sigma 3 % of side", OUT_OF_FOCUS, blurred(0.03)),
    ("blur sigma 2 % of side, noise sd 5", OUT_OF_FOCUS, blurred(0.02, 5.0)),
    ("light x0.15", TOO_DARK, lit(0.15)),
    ("light x2.5, saturated", TOO_BRIGHT, lit(2.5)),
    ("shorter side 90 px", TOO_SMALL, scaled(90)),
)


def measure(name: str, images: list[Rgb]) -> list[dict[str, str]]:
    rows = []
    luma = np.array([assess(image).metrics["luma_mean"] for image in images])
    for what, expected, spoil in CONDITIONS:
        rng = np.random.default_rng(SEED)
        reports = [assess(spoil(image, rng)) for image in images]
        rows.append(row(name, what, expected, [report.reasons for report in reports]))
        if what == "as it is":
            dark = np.flatnonzero(luma <= np.quantile(luma, 0.1))
            rows.append(row(name, "as it is, darkest tenth", None, [reports[i].reasons for i in dark]))
    return rows


def row(name: str, what: str, expected: str | None, reasons: list[tuple[str, ...]]) -> dict[str, str]:
    refused = sum(bool(r) for r in reasons)
    caught = sum(expected in r for r in reasons) if expected else refused
    counts = Counter(reason for r in reasons for reason in r)
    return {
        "dataset": name,
        "condition": what,
        "images": str(len(reasons)),
        "expected": expected or "pass",
        "refused": str(refused),
        "refused_percent": f"{100 * refused / len(reasons):.2f}",
        "expected_reason_percent": f"{100 * caught / len(reasons):.2f}" if expected else "",
        **{reason: str(counts[reason]) for reason in REASON_TEXT},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = Path(os.environ.get("SKIN_EDGE_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--images", type=int, default=1500, help="how many of HAM10000")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "quality_gate.csv")
    options = parser.parse_args()
    ham = sorted((options.data / "ham10000" / "images").glob("*.jpg"))
    kaggle = sorted((options.data / "kaggle_bm" / "test").glob("*/*.jpg"))
    if not ham or not kaggle:
        parser.error(f"no images in {options.data}: set SKIN_EDGE_DATA or give --data")
    chosen = np.random.default_rng(SEED).choice(len(ham), min(options.images, len(ham)), replace=False)
    rows = measure("HAM10000", [read_image(ham[i]) for i in sorted(chosen)])
    rows += measure("Kaggle benign/malignant, test", [read_image(path) for path in kaggle])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for line in rows:
        reason = line["expected_reason_percent"] and f"  named {line['expected_reason_percent']:>6} %"
        print(f"{line['dataset']:30} {line['condition']:36} refused {line['refused_percent']:>6} %{reason}")


if __name__ == "__main__":
    main()
