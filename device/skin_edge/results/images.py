"""Pictures kept beside the log: private, lossless, and on disk before the row that names them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from skin_edge.durable import fsync_directory, make_directory, replacing
from skin_edge.errors import StorageError
from skin_edge.faults import storage_faults

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from skin_edge.results.keys import Keyring

#: `image` is what was classified, `explanation` its activation map drawn over it.
Kind = Literal["image", "explanation"]

#: The folder below the state directory in which all kept pictures are.
FOLDER = "images"

#: zlib level: 1 takes a third of the time of the default 6 for about a tenth more bytes on photographs.
_PNG_COMPRESSION = 1

_SEALED_SUFFIX = ".sealed"
_SEALED_MAGIC = b"skin-edge sealed 1\n"
_KEY_ID_BYTES = 8


class ImageStore:
    """The kept pictures of a state directory.

    Args:
        state_dir: the directory of the results log; pictures go below it.
        keyring: seals each picture before it is written, and opens it; None writes plain PNG.
    """

    __slots__ = ("keyring", "state_dir")

    def __init__(self, state_dir: Path, keyring: Keyring | None = None) -> None:
        self.state_dir = state_dir
        self.keyring = keyring

    def save(self, pixels: npt.NDArray[np.uint8], result_id: str, kind: Kind = "image") -> tuple[str, str]:
        """Keep a picture as ``images/YYYY/MM/DD/<result_id>.png``, mode 0600; on return it is durable.

        An explanation's name ends in ``.explanation.png``, a sealed picture's in ``.png.sealed``.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            result_id: of `new_result_id`; the day (UTC) in the path is its day.
            kind: which of the result's pictures this is.

        Returns:
            The path relative to the state directory, with forward slashes, and the SHA-256 (hex) of the file.

        Raises:
            StorageError: the picture could not be written; nothing of it is left.
        """
        relative = _relative_path(result_id, kind, sealed=self.keyring is not None)
        target = self.state_dir / relative
        content = _png(pixels, target)
        if self.keyring is not None:
            key = self.keyring.current
            content = _SEALED_MAGIC + bytes.fromhex(key.id) + key.seal(content, result_id, kind)
        with storage_faults(target, "keep the picture"):
            try:
                _write(target, content)
            except FileNotFoundError:  # retention has just deleted the day's folder, which was empty
                _write(target, content)
        return str(relative), hashlib.sha256(content).hexdigest()

    def read(self, relative_path: str, result_id: str, kind: Kind = "image") -> bytes:
        """Return a kept picture as the bytes of a PNG file, opened where it was sealed.

        Raises:
            StorageError: it cannot be read, was altered, or was sealed with a key that is not at hand.
        """
        path = self.state_dir / relative_path
        with storage_faults(path, "read the picture"):
            content = path.read_bytes()
        if not content.startswith(_SEALED_MAGIC):
            return content
        start = len(_SEALED_MAGIC) + _KEY_ID_BYTES
        key_id = content[len(_SEALED_MAGIC) : start].hex()
        if self.keyring is None:
            raise StorageError(
                f"{path}: encrypted with key {key_id}: set encryption.key_file to the file of that key",
                code="storage-key",
            )
        return self.keyring.key(key_id, str(path)).open(content[start:], result_id, kind)

    def discard(self, relative_path: str) -> None:
        """Delete a kept picture whose row could not be written, so that none is left that no row knows.

        Raises:
            StorageError: it is still there.
        """
        target = self.state_dir / relative_path
        with storage_faults(target, "delete the picture"):
            target.unlink(missing_ok=True)
            fsync_directory(target.parent)


def _png(pixels: npt.NDArray[np.uint8], target: Path) -> bytes:
    import cv2
    import numpy as np

    encoded, png = cv2.imencode(
        ".png", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION]
    )
    if not encoded:
        raise StorageError(f"{target}: cannot encode a picture of shape {pixels.shape} as PNG")
    return png.tobytes()


def _write(target: Path, content: bytes) -> None:
    make_directory(target.parent)
    with replacing(target) as stream:
        stream.write(content)


def _relative_path(result_id: str, kind: Kind, *, sealed: bool) -> PurePosixPath:
    milliseconds = int(result_id[:8] + result_id[9:13], 16)  # the clock of a version 7 UUID
    day = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    name = result_id if kind == "image" else f"{result_id}.{kind}"
    suffix = f".png{_SEALED_SUFFIX if sealed else ''}"
    return PurePosixPath(FOLDER, f"{day:%Y}", f"{day:%m}", f"{day:%d}", f"{name}{suffix}")
