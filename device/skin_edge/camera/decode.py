"""One image file, whatever its format, as upright 8-bit RGB; or an ImageError that says what is wrong."""

from __future__ import annotations

import os
import re
import stat
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.camera.header import JPEG_2000, Header, read_header
from skin_edge.errors import ImageError

#: Enough for any lesion camera; a claim of more is refused before it is allocated.
MAX_PIXELS: Final = 100_000_000

#: A file is read whole; this keeps that within a small board's memory.
MAX_FILE_BYTES: Final = 128 * 1024 * 1024

#: Below 4.12 OpenCV's JPEG 2000 decoder can crash the process on a damaged file (seen with 4.10).
_JPEG_2000_SAFE: Final = tuple(int(part) for part in re.findall(r"[0-9]+", cv2.__version__)[:2]) >= (4, 12)

Rgb = npt.NDArray[np.uint8]


def read_image(path: Path) -> Rgb:
    """Read one image file.

    EXIF orientation is applied, grey becomes RGB, 16 bits become the upper 8, transparency is dropped; of
    several pages or frames the first is taken.

    Args:
        path: a regular file, or a link to one, in any format that OpenCV reads.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous, writable.

    Raises:
        ImageError: with code `image-missing`, `image-not-a-file`, `image-unreadable`, `image-empty`,
            `image-truncated`, `image-too-large` or `image-format`; the message begins with the path.
    """
    return decode_image(read_file(path), str(path))


def decode_image(data: bytes, name: str) -> Rgb:
    """Decode the bytes of an image file; as `read_image`, with `name` in the place of the path."""
    if not data:
        raise ImageError(f"{name}: the file is empty", code="image-empty")
    header = read_header(data)
    if header is not None:
        _check_claim(header, name)
    quiet_opencv()
    flags = int(cv2.IMREAD_COLOR)
    if header is not None and header.orientation != 1:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION  # OpenCV 4 does not know it of WebP, OpenCV 5 does
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        raise _undecodable(header, name) from error
    if image is None:
        raise _undecodable(header, name)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise _undecodable(header, name)
    # Not IMREAD_COLOR_RGB: OpenCV 4.10 lacks it, and OpenCV 5.0 gives BGR under it for PAM files.
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
    if image.shape[0] * image.shape[1] > MAX_PIXELS:
        raise _too_large(image.shape[1], image.shape[0], name)
    if header is not None and header.orientation != 1:
        image = _upright(image, header.orientation)
    return np.asarray(image, np.uint8)


def read_file(path: Path, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a regular file; a pipe or a device is refused, not waited for.

    Raises:
        ImageError: as `read_image`.
    """
    try:
        _check_regular(path, path.stat().st_mode)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            _check_regular(path, status.st_mode)  # again: the name may stand for something else by now
            if status.st_size > max_bytes:
                raise ImageError(
                    f"{path}: {status.st_size / 1e6:.0f} MB is more than the {max_bytes / 1e6:.0f} MB "
                    "that are read; save it as JPEG or PNG",
                    code="image-too-large",
                )
            return stream.read(status.st_size)
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file", code="image-missing") from None
    except ImageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ImageError(f"{path}: cannot be read: {reason}", code="image-unreadable") from error


@cache
def quiet_opencv() -> None:
    """Keep OpenCV's own log lines off the terminal; the failures behind them are raised as errors here.

    Whoever sets `OPENCV_LOG_LEVEL` (or FFmpeg's `OPENCV_FFMPEG_LOGLEVEL`) still gets what they asked for.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read when the first video is opened
    if "OPENCV_LOG_LEVEL" not in os.environ:
        set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # moved in OpenCV 5
        set_level(0)


def _check_regular(path: Path, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        listed = os.access(path, os.R_OK | os.X_OK)
        what = "a folder, not an image file" if listed else "a folder that may not be listed: check its mode"
    else:
        what = "a pipe, socket or device, not an image file"
    raise ImageError(f"{path}: {what}", code="image-not-a-file")


def _check_claim(header: Header, name: str) -> None:
    if header.width * header.height > MAX_PIXELS:
        raise _too_large(header.width, header.height, name)
    if header.kind == JPEG_2000 and not _JPEG_2000_SAFE:
        raise ImageError(
            f"{name}: JPEG 2000 is not read with OpenCV {cv2.__version__}, which a damaged file can crash; "
            "convert it to PNG, or install OpenCV 4.12 or later",
            code="image-format",
        )
    if not header.whole:
        raise ImageError(
            f"{name}: this {header.kind} file is cut short or damaged; copy it again",
            code="image-truncated",
        )


def _too_large(width: int, height: int, name: str) -> ImageError:
    return ImageError(
        f"{name}: {width}x{height} pixels are more than the {MAX_PIXELS / 1e6:.0f} million that are read; "
        "scale it down",
        code="image-too-large",
    )


def _undecodable(header: Header | None, name: str) -> ImageError:
    if header is None:
        return ImageError(f"{name}: not an image in a format that OpenCV reads", code="image-format")
    return ImageError(
        f"{name}: this {header.kind} file is damaged, or OpenCV {cv2.__version__} does not read its kind",
        code="image-format",
    )


def _upright(image: cv2.typing.MatLike, orientation: int) -> cv2.typing.MatLike:
    """Undo an EXIF orientation of 2 to 8."""
    if orientation >= 5:
        image = cv2.transpose(image)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(image, flips[orientation]) if orientation in flips else image
