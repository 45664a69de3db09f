"""Write the pictures that both versions get, so that neither decodes for itself; called by run.py.

python pictures.py INPUTS.npz IMAGE_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "device" / "preprocess"))

from drawn_skin import drawn_skin, noise

REAL_IMAGES = 200
# Height and width: a camera's frame, one whose side halving does not fit, and one that is enlarged.
SIZES = ((1080, 1920), (717, 955), (75, 100))
SIDES = (16, 17, 63, 127, 128, 129, 255, 256, 300, 511, 512, 515, 700, 1024, 1080, 1300)


def main() -> None:
    """Write an npz of (H, W, 3) uint8 RGB arrays by name."""
    target, folder = Path(sys.argv[1]), Path(sys.argv[2])
    pictures = {}
    for side in SIDES:
        shape = (side, side * 4 // 3)
        pictures[f"skin-{side}"] = drawn_skin(*shape, seed=side, hairs=side % 5, hair_width_px=side / 64)
        pictures[f"cast-{side}"] = drawn_skin(*shape, seed=side, hairs=2, noise=12, cast=(0.95, 0.8, 0.6))
        pictures[f"noise-{side}"] = noise(*shape, seed=side)
    for name, level in (("black", 0), ("grey", 127), ("white", 255)):
        pictures[name] = np.full((200, 260, 3), level, np.uint8)
    files = sorted(folder.glob("*.jpg")) if folder.is_dir() else []
    for index, file in enumerate(files[:: max(1, len(files) // REAL_IMAGES)][:REAL_IMAGES]):
        rgb = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        pictures[file.stem] = rgb
        if index < 10:
            for height, width in SIZES:
                resized = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC)
                pictures[f"{file.stem}-{height}"] = resized
    np.savez(target, **pictures)


main()
