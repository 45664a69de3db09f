"""What SQLite and the operating system say when storage fails, turned into what a person should do."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skin_edge.errors import SkinEdgeError, StorageError

_ADVICE = {
    "storage-full": (
        "the disk is full",
        "free room on it (delete or move other files) and try again; what was logged before is safe",
    ),
    "storage-readonly": (
        "it may not be written",
        "check the owner, the permissions and that the file system is not mounted read-only",
    ),
    "storage-corrupt": (
        "it is damaged or not a results log",
        "move it and its -wal file aside, keep both, and a new log is started",
    ),
    "storage-locked": (
        "another process holds its lock",
        "wait for that process or stop it, then try again",
    ),
}

# SQLite's English messages are stable; its numeric codes reach Python only from 3.11 on.
_SQLITE_CODES = (
    ("disk is full", "storage-full"),
    ("readonly database", "storage-readonly"),
    ("not a database", "storage-corrupt"),
    ("malformed", "storage-corrupt"),
    ("is locked", "storage-locked"),
)
_ERRNO_CODES = {
    errno.ENOSPC: "storage-full",
    errno.EDQUOT: "storage-full",
    errno.EROFS: "storage-readonly",
    errno.EACCES: "storage-readonly",
    errno.EPERM: "storage-readonly",
}


@contextmanager
def storage_faults(path: Path, doing: str) -> Iterator[None]:
    """Turn every `sqlite3.Error` and `OSError` of the body into a `StorageError` about `path`.

    Args:
        path: the file or directory the body works on.
        doing: completes "cannot ...", for example ``add a row``.

    Raises:
        StorageError: with the code ``storage-full``, ``storage-readonly``, ``storage-corrupt``,
            ``storage-locked`` or plain ``storage``.
    """
    try:
        yield
    except SkinEdgeError:
        raise  # said already; a StorageError is an OSError too
    except (sqlite3.Error, OSError) as error:
        raise _explained(error, path, doing) from error


def _explained(error: sqlite3.Error | OSError, path: Path, doing: str) -> StorageError:
    code = _code(error, path)
    if code in _ADVICE:
        what, advice = _ADVICE[code]
        return StorageError(f"{path}: cannot {doing}: {what}; {advice}", code=code)
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return StorageError(f"{path}: cannot {doing}: {reason}; check the disk and the directory", code=code)


def _code(error: sqlite3.Error | OSError, path: Path) -> str:
    if isinstance(error, OSError):
        return _ERRNO_CODES.get(error.errno or 0, "storage")
    text = str(error)
    for fragment, code in _SQLITE_CODES:
        if fragment in text:
            return code
    if "disk I/O error" in text and _is_full(path.parent):
        return "storage-full"  # the -shm file could not grow, which SQLite does not call "full"
    if "unable to open" in text and path.exists() and not os.access(path.parent, os.W_OK):
        return "storage-readonly"
    return "storage"


def _is_full(directory: Path) -> bool:
    try:
        room = os.statvfs(directory)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < 64 * 1024  # less than the two 32 KiB steps in which -shm grows
