"""Every picture read once: what the search needs of it, and the figures that may give its label away."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from skin_edge.camera.decode import decode_image, read_file
from skin_edge.errors import ImageError
from skin_edge_training.audit.frames import Uint8Array, squash
from skin_edge_training.audit.search import Progress
from skin_edge_training.audit.statistics import trivial_statistics


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of all sets that could be read, in the order of `table`.

    Attributes:
        table: see `readers.read_sets`; unreadable pictures are left out.
        greys: N of (96, 96) uint8.
        digests: of each, of its bytes and of its pixels.
        statistics: N rows of trivial figures, see `statistics`.
        unreadable: set, path and error of the others.
    """

    table: pd.DataFrame
    greys: list[Uint8Array]
    digests: list[tuple[str, str]]
    statistics: pd.DataFrame
    unreadable: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Reading:
    """One picture."""

    grey: Uint8Array
    digests: tuple[str, str]
    statistics: dict[str, float]


def read_picture(file: str) -> Reading | ImageError:
    """Read one picture; an unreadable one gives its error, since the others go on."""
    try:
        data = read_file(Path(file))
        rgb = decode_image(data, file)
    except ImageError as error:
        return error
    pixels = hashlib.sha256(f"{rgb.shape}".encode() + rgb.tobytes()).hexdigest()
    digests = (f"bytes:{hashlib.sha256(data).hexdigest()}", f"pixels:{pixels}")
    return Reading(squash(rgb), digests, trivial_statistics(rgb, data))


def read_pictures(table: pd.DataFrame, progress: Progress, workers: int = 2) -> Pictures:
    """Read all pictures of a table from `readers.read_sets`."""
    files: Sequence[str] = list(table["file"])
    cv2.setNumThreads(1)  # the pool below is what fills the cores
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(read_picture, files)
        readings = [one for _, one in zip(progress(range(len(files)), "read"), results, strict=True)]
    good = np.array([isinstance(one, Reading) for one in readings], bool)
    kept = [one for one in readings if isinstance(one, Reading)]
    lost = table.loc[~good, ["set", "path"]].reset_index(drop=True)
    lost["error"] = [str(one) for one in readings if isinstance(one, ImageError)]
    return Pictures(
        table.loc[good].reset_index(drop=True),
        [one.grey for one in kept],
        [one.digests for one in kept],
        pd.DataFrame([one.statistics for one in kept]),
        lost,
    )


def draw(file: str, size_px: int) -> npt.NDArray[np.uint8]:
    """Return a picture as (h, w, 3) uint8 RGB, its longer side `size_px`.

    Raises:
        ImageError: it cannot be read (any more).
    """
    rgb = decode_image(read_file(Path(file)), file)
    scale = size_px / max(rgb.shape[:2])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
