"""The pictures that the quality gate is fitted and measured on.

Lesions are halved by a hash of their identifier: one half fits, the other measures. Pictures of other things
are those that scikit-image, scikit-learn, matplotlib and mahotas ship inside their wheels; whole pictures are
assigned to one half, so that no crop of a picture that was fitted on is measured on.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.camera.decode import read_image

Rgb = npt.NDArray[np.uint8]

#: Crops with a shorter side are left out: the gate would refuse them for their size.
MIN_CROP_PX = 100

SKIMAGE, SKLEARN, MATPLOTLIB, MAHOTAS = (
    ("skimage", "data"),
    ("sklearn", "datasets/images"),
    ("matplotlib", "mpl-data/sample_data"),
    ("mahotas", "demos/data"),
)

#: Fitted on. One of a pair of views is on the same side as the other, here by leaving the other out.
FITTING: tuple[tuple[tuple[str, str], str], ...] = (
    (SKIMAGE, "brick.png"),
    (SKIMAGE, "camera.png"),
    (SKIMAGE, "cell.png"),
    (SKIMAGE, "chelsea.png"),
    (SKIMAGE, "chessboard_GRAY.png"),
    (SKIMAGE, "clock_motion.png"),
    (SKIMAGE, "horse.png"),
    (SKIMAGE, "hubble_deep_field.jpg"),
    (SKIMAGE, "ihc.png"),
    (SKIMAGE, "logo.png"),
    (SKIMAGE, "motorcycle_left.png"),
    (SKIMAGE, "page.png"),
    (SKLEARN, "flower.jpg"),
    (MAHOTAS, "DepartmentStore.jpg"),
)

#: Measured on: three faces, a wall of a temple, food, a fundus of the eye, textures, print, drawings.
MEASURING: tuple[tuple[tuple[str, str], str], ...] = (
    (SKIMAGE, "astronaut.png"),
    (SKIMAGE, "chessboard_RGB.png"),
    (SKIMAGE, "coffee.png"),
    (SKIMAGE, "coins.png"),
    (SKIMAGE, "color.png"),
    (SKIMAGE, "grass.png"),
    (SKIMAGE, "gravel.png"),
    (SKIMAGE, "microaneurysms.png"),
    (SKIMAGE, "moon.png"),
    (SKIMAGE, "phantom.png"),
    (SKIMAGE, "retina.jpg"),
    (SKIMAGE, "rocket.jpg"),
    (SKIMAGE, "text.png"),
    (SKLEARN, "china.jpg"),
    (MATPLOTLIB, "Minduka_Present_Blue_Pack.png"),
    (MATPLOTLIB, "grace_hopper.jpg"),
    (MAHOTAS, "luispedro.jpg"),
    (MAHOTAS, "nuclear.png"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """A picture of something that is no lesion, or a crop of one."""

    picture: str
    crop: str
    pixels: Rgb


def things(pictures: tuple[tuple[tuple[str, str], str], ...]) -> Iterator[Thing]:
    """Each picture whole, then its squares at a half, a third and a quarter of its shorter side."""
    for (package, folder), name in pictures:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{package} is not installed: pip install '.[dev,train]'")
        path = Path(spec.origin).parent / folder / name
        # IMREAD_COLOR drops transparency, which `read_image` does not take
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise SystemExit(f"{path}: this version of {package} does not ship it")
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
        yield Thing(name, "whole", rgb)
        height, width = rgb.shape[:2]
        for parts in (2, 3, 4):
            side = min(height, width) // parts
            if side < MIN_CROP_PX:
                break
            for top in range(0, height - side + 1, side):
                for left in range(0, width - side + 1, side):
                    crop = np.ascontiguousarray(rgb[top : top + side, left : left + side])
                    yield Thing(name, f"1/{parts} at {top},{left}", crop)


def half_of(identifier: str) -> int:
    """0 or 1, the same on every machine."""
    return hashlib.sha256(identifier.encode()).digest()[0] % 2


@dataclass(frozen=True, slots=True)
class Lesions:
    """Paths of real pictures by half: 0 fits, 1 measures. The Kaggle set is measured on only.

    `malignant` are the image identifiers of melanoma, basal cell carcinoma and actinic keratosis in HAM10000.
    """

    ham: tuple[list[Path], list[Path]]
    melanoma10k: tuple[list[Path], list[Path]]
    kaggle_test: list[Path]
    malignant: frozenset[str]

    @classmethod
    def find(cls, data: Path) -> Lesions:
        """Find the pictures below `data`.

        Raises:
            SystemExit: one of the three sets is not there.
        """
        ham: tuple[list[Path], list[Path]] = ([], [])
        malignant = set()
        try:
            with (data / "ham10000" / "HAM10000_metadata.csv").open(encoding="utf-8") as stream:
                for row in csv.DictReader(stream):
                    path = data / "ham10000" / "images" / f"{row['image_id']}.jpg"
                    ham[half_of(row["lesion_id"])].append(path)
                    if row["dx"] in {"mel", "bcc", "akiec"}:
                        malignant.add(path.stem)
        except OSError as error:
            raise SystemExit(f"{error}: set SKIN_EDGE_DATA or give --data") from None
        other: tuple[list[Path], list[Path]] = ([], [])
        for path in sorted((data / "melanoma10k").glob("*/*.jpg")):
            other[half_of(path.name)].append(path)
        kaggle = sorted((data / "kaggle_bm" / "test").glob("*/*.jpg"))
        if not (other[0] and other[1] and kaggle):
            raise SystemExit(f"no melanoma10k or kaggle_bm in {data}: set SKIN_EDGE_DATA or give --data")
        return cls((sorted(ham[0]), sorted(ham[1])), other, kaggle, frozenset(malignant))


def read_some(paths: list[Path], count: int | None, rng: np.random.Generator) -> list[Rgb]:
    """Read `count` of the pictures, drawn without replacement; all of them where there are fewer, or None."""
    if count is not None and count < len(paths):
        paths = [paths[i] for i in sorted(rng.choice(len(paths), count, replace=False))]
    return [read_image(path) for path in paths]
