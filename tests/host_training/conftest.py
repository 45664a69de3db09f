"""A set of drawn lesions, laid out as HAM10000 is; the irregular ones are called melanoma."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import pytest

from skin_edge.camera.drawing import draw

DRAWN_PICTURES = 240


@pytest.fixture(scope="session")
def drawn_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    (folder / "images").mkdir()
    with (folder / "HAM10000_metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"])
        for number in range(DRAWN_PICTURES):
            drawing = draw(1, number)
            small = cv2.resize(drawing.pixels, (200, 150), interpolation=cv2.INTER_AREA)
            image = f"ISIC_{number:07d}"
            cv2.imwrite(str(folder / "images" / f"{image}.jpg"), cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
            diagnosis = "mel" if drawing.irregular else "nv"
            lesion = f"HAM_{number // 4:05d}_{diagnosis}"
            writer.writerow([lesion, image, diagnosis, "histo", 50, "female", "back", "drawn"])
    return folder
