"""The log's schema, as named steps that are applied once and in order.

A step that has been released is never edited or renamed: a log written with it names it.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from skin_edge.errors import StorageError
from skin_edge.results.record import utc_timestamp


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: all of its statements take effect, or none."""

    name: str
    statements: tuple[str, ...]


MIGRATIONS = (
    Migration(
        "0001-results",
        (
            # `seq` is the order of acknowledgement: the wall clock of a Pi may jump, so time is not.
            # `record` is the whole ResultRecord as JSON; the other columns repeat what queries look for.
            """
            CREATE TABLE results (
                seq INTEGER PRIMARY KEY AUTOINCREMENT,
                result_id TEXT NOT NULL UNIQUE,
                created_at TEXT NOT NULL,
                label TEXT NOT NULL,
                subject TEXT,
                image_path TEXT,
                record TEXT NOT NULL
            )
            """,
        ),
    ),
    Migration(
        "0002-indexes",
        (
            "CREATE INDEX results_created_at ON results (created_at)",
            "CREATE INDEX results_subject ON results (subject) WHERE subject IS NOT NULL",
            "CREATE INDEX results_image_path ON results (image_path) WHERE image_path IS NOT NULL",
        ),
    ),
    # Records have the field `burst`: no column changes, but an older skin-edge cannot decode them.
    Migration("0003-burst", ()),
    # The record gained `machine`; the table stays as it is, and an older skin-edge refuses the log.
    Migration("0004-machine", ()),
    Migration(
        "0005-encryption",
        (
            # Where `key_id` is set, `subject` is a keyed hash and the values are in the sealed columns.
            "ALTER TABLE results ADD COLUMN key_id TEXT",
            "ALTER TABLE results ADD COLUMN sealed_subject BLOB",
            "ALTER TABLE results ADD COLUMN sealed_site BLOB",
        ),
    ),
    Migration(
        "0006-removals",
        (
            # Pictures that no row names any more and that are still to be deleted from the disk.
            "CREATE TABLE removals (path TEXT PRIMARY KEY) WITHOUT ROWID",
        ),
    ),
)

_LEDGER = "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)"


def pending(connection: sqlite3.Connection, path: Path) -> tuple[Migration, ...]:
    """Return the steps that the log at `path` still lacks, oldest first.

    Raises:
        StorageError: the log has a step that this version does not know.
        sqlite3.Error: the file cannot be read.
    """
    ledger = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'")
    applied = set()
    if ledger.fetchone():
        applied = {name for (name,) in connection.execute("SELECT name FROM migrations")}
    unknown = sorted(applied - {migration.name for migration in MIGRATIONS})
    if unknown:
        raise StorageError(
            f"{path}: written by a newer skin-edge (it has {unknown[-1]!r}): "
            "upgrade skin-edge here, or choose another state directory",
            code="storage-newer",
        )
    return tuple(migration for migration in MIGRATIONS if migration.name not in applied)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the steps that the log at `path` lacks, in one transaction that excludes other writers.

    Args:
        connection: in autocommit mode (``isolation_level=None``).

    Raises:
        StorageError: the log has a step that this version does not know.
        sqlite3.Error: the log cannot be written; it is as it was before.
    """
    if not pending(connection, path):
        return
    connection.execute("BEGIN IMMEDIATE")  # a second process waits here, then finds nothing left to do
    try:
        connection.execute(_LEDGER)
        for migration in pending(connection, path):
            for statement in migration.statements:
                connection.execute(statement)
            now = utc_timestamp(time.time())
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (migration.name, now))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
