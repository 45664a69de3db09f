"""Pictures kept beside the log: private, lossless, and on disk before the row that names them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.durable import fsync_directory, make_directory, replacing
from skin_edge.errors import StorageError
from skin_edge.results.faults import storage_faults

#: zlib level: 1 takes a third of the time of the default 6 for about a tenth more bytes on photographs.
_PNG_COMPRESSION = 1


def save_image(state_dir: Path, pixels: npt.NDArray[np.uint8], result_id: str) -> tuple[str, str]:
    """Keep a picture as ``images/YYYY/MM/DD/<result_id>.png``, mode 0600; on return it is durable.

    Args:
        state_dir: the directory of the results log; the picture goes below it.
        pixels: (H, W, 3) uint8 RGB.
        result_id: of `new_result_id`; the day (UTC) in the path is its day.

    Returns:
        The path relative to `state_dir`, with forward slashes, and the SHA-256 (hex) of the file.

    Raises:
        StorageError: the picture could not be written; nothing of it is left.
    """
    relative = _relative_path(result_id)
    target = state_dir / relative
    encoded, png = cv2.imencode(
        ".png", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION]
    )
    if not encoded:
        raise StorageError(f"{target}: cannot encode a picture of shape {pixels.shape} as PNG")
    content = png.tobytes()
    with storage_faults(target, "keep the picture"):
        make_directory(target.parent)
        with replacing(target) as stream:
            stream.write(content)
    return str(relative), hashlib.sha256(content).hexdigest()


def discard_image(state_dir: Path, relative_path: str) -> None:
    """Delete a kept picture whose row could not be written, so that no picture is left that no row knows.

    Raises:
        StorageError: it is still there.
    """
    target = state_dir / relative_path
    with storage_faults(target, "delete the picture"):
        target.unlink(missing_ok=True)
        fsync_directory(target.parent)


def _relative_path(result_id: str) -> PurePosixPath:
    milliseconds = int(result_id[:8] + result_id[9:13], 16)  # the clock of a version 7 UUID
    day = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return PurePosixPath("images", f"{day:%Y}", f"{day:%m}", f"{day:%d}", f"{result_id}.png")
