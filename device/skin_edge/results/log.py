"""The results log: one SQLite file that never loses a row it has acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from skin_edge.errors import StorageError, UsageError
from skin_edge.faults import storage_faults
from skin_edge.results.connect import open_to_read, open_to_write
from skin_edge.results.record import Label, ResultRecord, new_result_id, utc_timestamp
from skin_edge.results.reserve import OPENING_BYTES, release_reserve
from skin_edge.results.rows import READ_COLUMNS, from_row, insert

if TYPE_CHECKING:
    from skin_edge.results.keys import Keyring

FILE_NAME = "results.sqlite3"
BUSY_TIMEOUT_S = 10.0
_ROWS_PER_READ = 256


class ResultsLog:
    """The results log in a state directory, created where there is none (file 0600, directory 0700).

    WAL with ``synchronous=FULL``: a commit is flushed to disk before it is acknowledged. Several processes
    may write at once. One instance belongs to the thread that made it; use it as a context manager.

    Args:
        state_dir: the directory that holds ``results.sqlite3``.
        keyring: seals what rows say of the person, and opens it; None writes it as it is.
        busy_timeout_s: how long to wait for another writer, in seconds.

    Raises:
        StorageError: the log cannot be created, opened or brought up to date.
    """

    def __init__(
        self, state_dir: Path, *, keyring: Keyring | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        self.path = state_dir / FILE_NAME
        self.keyring = keyring
        while True:
            try:
                self._connection = open_to_write(self.path, busy_timeout_s)
                return
            except StorageError as error:
                if error.code != "storage-full" or not release_reserve(state_dir, OPENING_BYTES):
                    raise

    @classmethod
    def open_readonly(
        cls, state_dir: Path, *, keyring: Keyring | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> ResultsLog | None:
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
        connection, outdated = open_to_read(path, busy_timeout_s)
        if outdated:
            connection.close()
            return cls(state_dir, keyring=keyring, busy_timeout_s=busy_timeout_s)
        log = cls.__new__(cls)
        log.path, log.keyring, log._connection = path, keyring, connection
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
        statement, values = insert(record, self.keyring)
        with storage_faults(self.path, "add a row to the results log"):
            self._connection.execute(statement, values)  # outside BEGIN: committed when it returns
        return result_id

    def get(self, id_or_prefix: str) -> ResultRecord:
        """Return the row whose id is, or alone begins with, `id_or_prefix`.

        Raises:
            UsageError: no row or several rows fit.
            StorageError: the log cannot be read.
        """
        wanted = id_or_prefix.strip().lower()
        rows = self._read(
            f"SELECT {READ_COLUMNS} FROM results WHERE substr(result_id, 1, ?) = ? "  # noqa: S608
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
        return from_row(rows[0], self.path, self.keyring)

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
        condition, values = self._conditions(since, label, subject)
        rows = self._read(
            f"SELECT {READ_COLUMNS} FROM results WHERE {condition} ORDER BY seq DESC LIMIT ?",  # noqa: S608
            (*values, limit),
        )
        return tuple(from_row(row, self.path, self.keyring) for row in rows)

    def iter_all(
        self, *, since: datetime | None = None, label: Label | None = None, subject: str | None = None
    ) -> Iterator[ResultRecord]:
        """Yield the rows that fit in the order in which they were acknowledged, a few hundred in memory.

        No lock is held between rows: a slow reader never stops a writer. Arguments are those of `list`.

        Raises:
            StorageError: the log cannot be read.
        """
        condition, values = self._conditions(since, label, subject)
        query = (
            f"SELECT seq, {READ_COLUMNS} FROM results WHERE seq > ? AND {condition} "  # noqa: S608
            "ORDER BY seq LIMIT ?"
        )
        last = 0
        while rows := self._read(query, (last, *values, _ROWS_PER_READ)):
            for _, *row in rows:
                yield from_row(tuple(row), self.path, self.keyring)
            last = rows[-1][0]

    def count(self) -> int:
        """Return the number of rows.

        Raises:
            StorageError: the log cannot be read.
        """
        return int(self._read("SELECT count(*) FROM results", ())[0][0])

    def count_sealed(self) -> int:
        """Return the number of rows whose subject cannot be read with the keys at hand.

        Raises:
            StorageError: the log cannot be read.
        """
        ids = [key_id for (key_id,) in self._read("SELECT DISTINCT key_id FROM results", ()) if key_id]
        missing = [key_id for key_id in ids if self.keyring is None or not self.keyring.has(key_id)]
        query = "SELECT count(*) FROM results WHERE sealed_subject IS NOT NULL AND key_id = ?"
        return sum(int(self._read(query, (key_id,))[0][0]) for key_id in missing)

    @contextmanager
    def transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        """Give the connection for changes that all take effect, durably, or none; other writers wait.

        Raises:
            StorageError: nothing was changed.
        """
        with storage_faults(self.path, doing):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for queries.

        Raises:
            StorageError: the log cannot be read.
        """
        with storage_faults(self.path, "read the results log"):
            yield self._connection

    def _read(self, query: str, values: tuple[Any, ...]) -> Any:
        with self.reading() as connection:
            return connection.execute(query, values).fetchall()

    def _conditions(
        self, since: datetime | None, label: Label | None, subject: str | None
    ) -> tuple[str, tuple[str, ...]]:
        """Return an SQL condition and its values; the text holds nothing that a user typed."""
        conditions: list[str] = ["1"]
        values: list[str] = []
        if since is not None:
            moment = since if since.tzinfo else since.replace(tzinfo=timezone.utc)
            conditions.append("created_at >= ?")
            values.append(utc_timestamp(moment.timestamp()))
        if label is not None:
            conditions.append("label = ?")
            values.append(label)
        if subject is not None:
            condition, wanted = self.subject_condition(subject)
            conditions.append(condition)
            values += wanted
        return " AND ".join(conditions), tuple(values)

    def subject_condition(self, subject: str) -> tuple[str, tuple[str, ...]]:
        """Return an SQL condition, and its values, for the rows of a subject: plain, or sealed with a key."""
        condition = "(subject = ? AND key_id IS NULL)"
        tags: tuple[str, ...] = ()
        if self.keyring is not None:
            tags = self.keyring.tags(subject)
            condition = f"({condition} OR (key_id IS NOT NULL AND subject IN ({', '.join('?' * len(tags))})))"
        return condition, (subject, *tags)
