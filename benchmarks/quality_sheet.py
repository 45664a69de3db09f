"""Draw the contact sheet of docs/quality.md: one drawn lesion, as it is and spoiled, with what the gate says.

python benchmarks/quality_sheet.py [--out docs/images/quality.jpg]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from quality_spoil import Spoil, blurred, central, glared, inverted, lit, moved, scaled

from skin_edge.camera.drawing import draw
from skin_edge.quality import assess

ROOT = Path(__file__).resolve().parent.parent
TILE_PX, LABEL_PX, COLUMNS = 220, 30, 4
Rgb = npt.NDArray[np.uint8]


SPOILS: tuple[Spoil, ...] = (
    lambda rgb, rng: rgb,
    blurred(0.02),
    moved(0.05),
    lit(0.15),
    lit(2.5),
    glared(0.05, 0.06),
    scaled(90),
    inverted,
)


def tile(picture: Rgb) -> Rgb:
    label = ", ".join(assess(picture).reasons) or "fit"
    shown = cv2.resize(central(picture), (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
    strip = np.full((LABEL_PX, TILE_PX, 3), 255, np.uint8)
    cv2.putText(strip, label, (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([np.asarray(shown, np.uint8), strip])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "quality.jpg")
    options = parser.parse_args()
    lesion, rng = draw(3, 2).pixels, np.random.default_rng(5)
    tiles = [tile(spoil(lesion, rng)) for spoil in SPOILS]
    rows = [np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)]
    sheet = np.vstack(rows)[:, :, ::-1]
    if not cv2.imwrite(str(options.out), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise SystemExit(f"{options.out}: cannot write")


if __name__ == "__main__":
    main()
