"""The results log: one SQLite file that never loses a row it has acknowledged."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from skin_edge.durable import FILE_MODE, fsync_directory, make_directory
from skin_edge.errors import StorageError, UsageError
from skin_edge.results.faults import storage_faults
from skin_edge.results.migrations import migrate, pending
from skin_edge.results.record import Label, ResultRecord, new_result_id, utc_timestamp

FILE_NAME = "results.sqlite3"
BUSY_TIMEOUT_S = 10.0
_LOCK_POLL_S = 0.01
_ROWS_PER_READ = 256

# Closing any descriptor of a file drops the locks that SQLite holds on it in the same process (POSIX), so
# creation, the one place that opens it besides SQLite, must be over before another thread connects.
_creation = threading.Lock()


class ResultsLog:
    """The results log in a state directory, created where there is none (file 0600, directory 0700).

    WAL with ``synchronous=FULL``: a commit is flushed to disk before it is acknowledged. Several processes
    may write at once. One instance belongs to the thread that made it; use it as a context manager.

    Args:
        state_dir: the directory that holds ``results.sqlite3``.
        busy_timeout_s: how long to wait for another writer, in seconds.

    Raises:
        StorageError: the log cannot be created, opened or brought up to date.
    """

    def __init__(self, state_dir: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = state_dir / FILE_NAME
        with storage_faults(self.path, "open the results log"):
            _create_private(self.path)
            self._connection = _connect(self.path, "rw", busy_timeout_s)
            try:
                _use_wal(self._connection, self.path, busy_timeout_s)
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute("PRAGMA foreign_keys = ON")
                migrate(self._connection, self.path)
            except BaseException:
                self._connection.close()
                raise

    @classmethod
    def open_readonly(cls, state_dir: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> ResultsLog | None:
        """Return the log for reading, or None where there is none yet; nothing is created.

        A log of an older version is brought up to date first, which does write.

        Raises:
            StorageError: there is a log, and it cannot be read.
        """
        path = state_dir / FILE_NAME
        with storage_faults(path, "read the results log"):
            try:
                path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            connection = _connect(path, _read_mode(path), busy_timeout_s)
            try:
                outdated = bool(pending(connection, path))
            except BaseException:
                connection.close()
                raise
        if outdated:
            connection.close()
            return cls(state_dir, busy_timeout_s=busy_timeout_s)
        log = cls.__new__(cls)
        log.path, log._connection = path, connection
        return log

    def __enter__(self) -> ResultsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing.

        Raises:
            StorageError: the file could not be closed; acknowledged rows are safe all the same.
        """
        with storage_faults(self.path, "close the results log"):
            self._connection.close()

    def append(self, record: ResultRecord) -> str:
        """Add a row and return its id once it is durable.

        A record without a `result_id` gets one; a picture that the record names must be durable before.

        Raises:
            StorageError: the row is not in the log, or not certain to be.
        """
        result_id = record.result_id
        if result_id is None:
            result_id = new_result_id()
            record = msgspec.structs.replace(record, result_id=result_id)
        row = (
            result_id,
            record.created_at,
            record.label,
            record.subject,
            record.image_path,
            msgspec.json.encode(record).decode("utf-8"),
        )
        with storage_faults(self.path, "add a row to the results log"):
            self._connection.execute(  # one statement outside BEGIN: committed when it returns
                "INSERT INTO results (result_id, created_at, label, subject, image_path, record) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
        return result_id

    def get(self, id_or_prefix: str) -> ResultRecord:
        """Return the row whose id is, or alone begins with, `id_or_prefix`.

        Raises:
            UsageError: no row or several rows fit.
            StorageError: the log cannot be read.
        """
        wanted = id_or_prefix.strip().lower()
        rows = self._read(
            "SELECT result_id, record FROM results WHERE substr(result_id, 1, ?) = ? "
            "AND result_id >= ? ORDER BY result_id LIMIT 2",
            (len(wanted), wanted, wanted),
        )
        if not wanted or not rows:
            raise UsageError(
                f"{id_or_prefix!r}: no result has this id; `skin-edge results list` shows the ids",
                code="no-such-result",
            )
        if len(rows) > 1 and rows[0][0] != wanted:
            raise UsageError(
                f"{id_or_prefix!r}: several results begin so, {rows[0][0]} and {rows[1][0]} among them: "
                "give more characters",
                code="ambiguous-result",
            )
        return self._decode(*rows[0])

    def list(
        self,
        limit: int = 20,
        *,
        since: datetime | None = None,
        label: Label | None = None,
        subject: str | None = None,
    ) -> tuple[ResultRecord, ...]:
        """Return the newest `limit` rows that fit, newest first.

        Args:
            limit: at most so many rows.
            since: rows whose frame was taken at this moment or later; UTC where it has no time zone.
            label: rows with this label.
            subject: rows with this pseudonym.

        Raises:
            StorageError: the log cannot be read.
        """
        condition, values = _conditions(since, label, subject)
        rows = self._read(
            f"SELECT result_id, record FROM results WHERE {condition} ORDER BY seq DESC LIMIT ?",  # noqa: S608
            (*values, limit),
        )
        return tuple(self._decode(*row) for row in rows)

    def iter_all(
        self, *, since: datetime | None = None, label: Label | None = None, subject: str | None = None
    ) -> Iterator[ResultRecord]:
        """Yield the rows that fit in the order in which they were acknowledged, a few hundred in memory.

        No lock is held between rows: a slow reader never stops a writer. Arguments are those of `list`.

        Raises:
            StorageError: the log cannot be read.
        """
        condition, values = _conditions(since, label, subject)
        query = (
            f"SELECT seq, result_id, record FROM results WHERE seq > ? AND {condition} "  # noqa: S608
            "ORDER BY seq LIMIT ?"
        )
        last = 0
        while rows := self._read(query, (last, *values, _ROWS_PER_READ)):
            for _, result_id, record in rows:
                yield self._decode(result_id, record)
            last = rows[-1][0]

    def count(self) -> int:
        """Return the number of rows.

        Raises:
            StorageError: the log cannot be read.
        """
        return int(self._read("SELECT count(*) FROM results", ())[0][0])

    def _read(self, query: str, values: tuple[Any, ...]) -> Any:
        with storage_faults(self.path, "read the results log"):
            return self._connection.execute(query, values).fetchall()

    def _decode(self, result_id: str, record: str) -> ResultRecord:
        try:
            return msgspec.json.decode(record, type=ResultRecord)
        except msgspec.DecodeError as error:
            raise StorageError(
                f"{self.path}: row {result_id} is not a result ({error}): it was altered from outside",
                code="storage-corrupt",
            ) from None


def _conditions(
    since: datetime | None, label: Label | None, subject: str | None
) -> tuple[str, tuple[str, ...]]:
    """Return an SQL condition and its values; the text holds nothing that a user typed."""
    conditions, values = ["1"], []
    if since is not None:
        moment = since if since.tzinfo else since.replace(tzinfo=timezone.utc)
        conditions.append("created_at >= ?")
        values.append(utc_timestamp(moment.timestamp()))
    if label is not None:
        conditions.append("label = ?")
        values.append(label)
    if subject is not None:
        conditions.append("subject = ?")
        values.append(subject)
    return " AND ".join(conditions), tuple(values)


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
    return "ro" if writable or path.with_name(f"{path.name}-wal").exists() else "ro&immutable=1"


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
