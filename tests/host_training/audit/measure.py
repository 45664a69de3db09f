"""How many copies of known origin the audit finds, and what else it calls a copy of them.

    python tests/host_training/audit/measure.py DATA OUT.csv [--seed 1] [--copies 500]

Makes copies of random pictures of the sets in DATA by turning, mirroring, cropping to 75-95 % of the side,
squashing to a square of 160, 192 or 224 px, brightness and contrast, JPEG 60-85, searches for them among all
pictures of all sets, and writes one row for each kind of copy. A pair of a copy with anything but its origin,
or what the audit itself joins with that, is counted as false.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.camera.decode import decode_image, read_image
from skin_edge_training.audit.frames import orient, squash
from skin_edge_training.audit.groups import group_pictures
from skin_edge_training.audit.pictures import read_pictures
from skin_edge_training.audit.twins import find_pairs
from skin_edge_training.data.readers import read_sets

Rgb = npt.NDArray[np.uint8]
SETS = ("ham10000", "kaggle_bm", "melanoma10k")


def copy_of(rgb: Rgb, kind: str, rng: np.random.Generator) -> Rgb:
    """Return a copy as it comes out of a JPEG file."""
    if kind == "crop":
        side = rng.uniform(0.75, 0.95)
        height, width = (round(n * side) for n in rgb.shape[:2])
        y, x = rng.integers(0, rgb.shape[0] - height + 1), rng.integers(0, rgb.shape[1] - width + 1)
        rgb = rgb[y : y + height, x : x + width]
    turn = int(rng.integers(8))
    rgb = np.stack([orient(rgb[..., channel], turn) for channel in range(3)], axis=-1)
    if rng.random() < 0.5:
        size = int(rng.choice([160, 192, 224]))
        rgb = np.asarray(cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    lit = (rgb.astype(np.float32) - 128) * rng.uniform(0.8, 1.2) + 128 + rng.uniform(-25, 25)
    bgr = cv2.cvtColor(np.clip(lit, 0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 86))])[1]
    return decode_image(data.tobytes(), "copy")


def quiet(items: range, description: str) -> range:
    print(description, len(items), file=sys.stderr)  # noqa: T201
    return items


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--copies", type=int, default=500)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    pictures = read_pictures(read_sets([given.data / name for name in SETS]).table, quiet)
    count = len(pictures.table)
    origins = rng.choice(count, given.copies, replace=False)
    kinds = ["near", "crop"] * (given.copies // 2)
    greys = list(pictures.greys)
    for origin, kind in zip(origins, kinds, strict=True):
        greys.append(squash(copy_of(read_image(Path(pictures.table["file"][origin])), kind, rng)))
    digests = [*pictures.digests, *((f"copy{number}",) for number in range(given.copies))]
    pairs = find_pairs(greys, digests, quiet)
    between = [p for p in pairs if p.b < count]
    groups = group_pictures(pictures.table, between)
    origin_of = np.concatenate([np.arange(count), origins])
    copies = [p for p in pairs if p.b >= count and p.kind != "sibling"]
    found = {p.b: p for p in copies if p.a == origin_of[p.b]}
    with given.out.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["copies", "made", "found", "recall", "right_kind", "pairs", "false_pairs", "precision"]
        )
        for kind in ("near", "crop"):
            made = [count + k for k in range(given.copies) if kinds[k] == kind]
            hits = [found[m] for m in made if m in found]
            reported = [p for p in copies if kinds[p.b - count] == kind]
            false = [p for p in reported if groups[origin_of[p.a]] != groups[origin_of[p.b]]]
            right = sum(p.kind == kind for p in hits)
            precision = 1 - len(false) / len(reported)
            row = [kind, len(made), len(hits), round(len(hits) / len(made), 4), right]
            writer.writerow([*row, len(reported), len(false), round(precision, 4)])


if __name__ == "__main__":
    main()
