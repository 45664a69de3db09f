"""How the file of the results log is created and opened: privately, in WAL mode, every commit flushed."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

from skin_edge.durable import FILE_MODE, fsync_directory, make_directory
from skin_edge.errors import StorageError
from skin_edge.faults import storage_faults
from skin_edge.results.migrations import migrate, pending

_LOCK_POLL_S = 0.01
_IMMUTABLE = "ro&immutable=1"

# Closing any descriptor of a file drops the locks that SQLite holds on it in the same process (POSIX), so
# creation, the one place that opens it besides SQLite, must be over before another thread connects.
_creation = threading.Lock()


def open_to_write(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection for reading and writing, the log created and brought up to date.

    Raises:
        StorageError: that is not possible.
    """
    with storage_faults(path, "open the results log"):
        _create_private(path)
        connection = _connect(path, "rw", busy_timeout_s)
        try:
            # Takes effect in a new file only: room of deleted rows can then be given back bit by bit.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _use_wal(connection, path, busy_timeout_s)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_to_read(path: Path, busy_timeout_s: float) -> tuple[sqlite3.Connection, bool]:
    """Return a connection that writes nothing, and whether the log is of an older version.

    Raises:
        StorageError: the log cannot be read.
    """
    try:
        return _open_to_read(path, _read_mode(path), busy_timeout_s)
    except StorageError as error:
        # A log that nobody has open needs room for -shm; where nothing is in -wal, it can be read as it is.
        if error.code != "storage-full" or _size(path.with_name(f"{path.name}-wal")):
            raise
        return _open_to_read(path, _IMMUTABLE, busy_timeout_s)


def _open_to_read(path: Path, mode: str, busy_timeout_s: float) -> tuple[sqlite3.Connection, bool]:
    with storage_faults(path, "read the results log"):
        connection = _connect(path, mode, busy_timeout_s)
        try:
            return connection, bool(pending(connection, path))
        except BaseException:
            connection.close()
            raise


def _create_private(path: Path) -> None:
    """Make the empty file with its final mode: SQLite gives -wal and -shm the mode of the main file."""
    make_directory(path.parent)
    with _creation, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))
        fsync_directory(path.parent)


def _connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, isolation_level=None)


def _read_mode(path: Path) -> str:
    """How to open without writing: a log on read-only storage has no room for -shm, and no writer either."""
    writable = os.access(path.parent, os.W_OK)
    return "ro" if writable or path.with_name(f"{path.name}-wal").exists() else _IMMUTABLE


def _use_wal(connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # SQLite does not wait for the lock here when two processes open a fresh log at once.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_LOCK_POLL_S)
            continue
        if mode != "wal":
            raise StorageError(
                f"{path}: this file system cannot hold the results log safely (no shared memory for WAL); "
                "choose a state directory on a local disk"
            )
        return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
