"""Which files a path given by a person stands for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from skin_edge.errors import ImageError

#: Suffixes of the formats that OpenCV's wheels read; in a folder, other files are no images.
# fmt: off
IMAGE_SUFFIXES: Final = frozenset({
    ".avif", ".bmp", ".dib", ".gif", ".hdr", ".j2k", ".jp2", ".jpe", ".jpeg", ".jpg", ".pam", ".pbm",
    ".pfm", ".pgm", ".pic", ".png", ".pnm", ".ppm", ".pxm", ".ras", ".sr", ".tif", ".tiff", ".webp",
})
# fmt: on


def find_images(path: Path) -> list[Path]:
    """Return the image files that a path stands for, in natural order (`img2` before `img10`).

    A folder stands for the images in it and below it, without hidden ones; links to folders are not followed.
    A subfolder that may not be listed is in the result itself, so that reading it reports it and the rest go
    on. Anything else stands for itself, whatever its suffix, and even where it does not exist.

    Raises:
        ImageError: `image-none`, a folder without images; `image-unreadable`, it may not be listed.
    """
    if not path.is_dir():
        return [path]
    refused: list[OSError] = []
    found: list[Path] = []
    for folder, subfolders, names in os.walk(path, onerror=refused.append):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found.extend(Path(folder, name) for name in names if _is_image_name(name))
    for error in refused:
        if Path(error.filename) == path:
            raise ImageError(
                f"{path}: cannot be listed: {error.strerror}", code="image-unreadable"
            ) from error
        found.append(Path(error.filename))
    if not found:
        raise ImageError(f"{path}: no images in this folder", code="image-none")
    return sorted(found, key=natural_key)


def natural_key(path: Path) -> tuple[list[list[str | int]], str]:
    """Return a sort key under which numbers within names count as numbers, and letters ignore their case."""
    return [_numbered(part) for part in path.parts], str(path)


def _numbered(name: str) -> list[str | int]:
    # Splitting at a group gives text and digits in turn, so that like is always compared with like.
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if at % 2 else part.casefold() for at, part in enumerate(parts)]


def _is_image_name(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122
