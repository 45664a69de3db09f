"""Files that are whole or absent after a power cut, and private from their first moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
#: For what holds nothing private: bundles, what training leaves behind.
PUBLIC_MODE = 0o644


def fsync_directory(path: Path) -> None:
    """Make the names in a directory durable.

    Raises:
        OSError: the directory cannot be opened or flushed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Create a directory and its missing parents, mode 0700, durable; what exists is left as it is.

    Raises:
        OSError: a directory cannot be created, or something else has the name.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    with suppress(FileExistsError):  # made by another process just now; mkdir of a file's name fails below
        path.mkdir(mode=DIRECTORY_MODE)
    fsync_directory(path)
    fsync_directory(path.parent)


@contextmanager
def replacing(path: Path, mode: int = FILE_MODE) -> Iterator[BinaryIO]:
    """Open a new file that takes the name `path` once the body has ended well; private by default.

    Readers of `path` see the old file or the whole new one; after an error nothing of the new one is left.

    Raises:
        OSError: the file cannot be written, flushed or renamed.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)  # the umask has no say in who may read it
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)
