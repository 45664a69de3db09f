"""Pictures decoded once and kept as one memory-mapped array, so that no epoch waits for JPEG.

All pictures are brought to one context size, a little larger than the network's field of view, so that
augmentation can rotate and shift without inventing pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from filelock import FileLock

from skin_edge.camera.decode import read_image

HEIGHT_PX, WIDTH_PX = 150, 200

Uint8Array = npt.NDArray[np.uint8]


def to_context(rgb: Uint8Array) -> Uint8Array:
    """Return (150, 200, 3): shorter side scaled to 150, longer side cropped or mirrored to 200, centred."""
    height, width = rgb.shape[:2]
    picture: Any = rgb
    scale = HEIGHT_PX / min(height, width)
    if scale != 1.0:
        size = (max(HEIGHT_PX, round(width * scale)), max(HEIGHT_PX, round(height * scale)))
        picture = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    height, width = picture.shape[:2]
    top, left = max(0, (height - HEIGHT_PX) // 2), max(0, (width - WIDTH_PX) // 2)
    picture = picture[top : top + HEIGHT_PX, left : left + WIDTH_PX]
    missing = WIDTH_PX - picture.shape[1]
    if missing:
        half = missing // 2
        picture = cv2.copyMakeBorder(picture, 0, 0, half, missing - half, cv2.BORDER_REFLECT_101)
    return np.ascontiguousarray(picture)


def decode_all(
    paths: Sequence[str], cache: Path, progress: Callable[[range], Iterable[int]] = iter
) -> Uint8Array:
    """Return the pictures as (N, 150, 200, 3) uint8 RGB, memory-mapped from `cache`.

    The cache is made anew when the list of files, a size or a modification time has changed. Of several
    processes that ask at once, one decodes and the others wait for it.

    Args:
        paths: picture files.
        cache: folder for the array.
        progress: wraps ``range(len(paths))`` and shows progress as it is consumed.

    Raises:
        ImageError: a picture cannot be decoded.
    """
    digest = hashlib.sha256(f"{HEIGHT_PX}x{WIDTH_PX}".encode())
    for path in paths:
        stat = Path(path).stat()
        digest.update(f"{path}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    target = cache / f"decoded-{digest.hexdigest()[:16]}.npy"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not target.is_file():
            _decode(paths, target, progress)
    decoded: Uint8Array = np.load(target, mmap_mode="r")
    return decoded


def _decode(paths: Sequence[str], target: Path, progress: Callable[[range], Iterable[int]]) -> None:
    partial = target.with_suffix(".partial.npy")
    shape = (len(paths), HEIGHT_PX, WIDTH_PX, 3)
    array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    with ThreadPoolExecutor() as pool:
        pictures = pool.map(lambda path: to_context(read_image(Path(path))), paths)
        for index, picture in zip(progress(range(len(paths))), pictures, strict=True):
            array[index] = picture
    array.flush()
    del array
    partial.rename(target)
