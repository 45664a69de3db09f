"""How results and pictures are deleted, so that a power cut at any moment leaves no picture unknown.

One transaction changes the rows and lists the files that are to go in the table `removals`; then the files
are deleted; then the list is cleared. What was cut short is finished by the next removal, `finish`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from skin_edge.durable import fsync_directory
from skin_edge.errors import StorageError
from skin_edge.faults import storage_faults
from skin_edge.results.images import FOLDER
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import ResultRecord, utc_timestamp
from skin_edge.results.rows import decode, encode

#: Rows in a transaction that fits the reserve of a full disk.
BATCH = 16
#: Rows in a transaction where there is room: fewer flushes, and a writer beside still waits milliseconds.
LARGE_BATCH = 256

#: Free pages given back to the file system at a time; each is 4 KiB.
_PAGES_PER_STEP = 256


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal did.

    Attributes:
        results: rows deleted.
        pictures: picture files deleted.
        picture_bytes: their size together.
    """

    results: int = 0
    pictures: int = 0
    picture_bytes: int = 0

    def __add__(self, other: Removed) -> Removed:
        return Removed(
            self.results + other.results,
            self.pictures + other.pictures,
            self.picture_bytes + other.picture_bytes,
        )


class _Named(msgspec.Struct):
    """The pictures that a row names; the rest of the row is not looked at."""

    image_path: str | None = None
    explanation_path: str | None = None


def named_pictures(text: str, image_path: str | None = None) -> tuple[str, ...]:
    """Return the kept pictures that the text of a row, or the column beside it, names.

    A map that `--explain` wrote into a folder of the user's is the user's, and not among them.
    """
    try:
        named = msgspec.json.decode(text, type=_Named)
    except msgspec.DecodeError:
        named = _Named()
    paths = dict.fromkeys((image_path, named.image_path, named.explanation_path))
    return tuple(path for path in paths if path is not None and is_kept(path))


def is_kept(path: str) -> bool:
    """True where a path is one of a kept picture: below ``images/``, and not out of it again."""
    parts = PurePosixPath(path).parts
    return len(parts) > 1 and parts[0] == FOLDER and ".." not in parts


def remove(
    log: ResultsLog, seqs: Sequence[int], *, pictures_only: bool, now_s: float, batch_rows: int = BATCH
) -> Removed:
    """Delete rows with their pictures, or only the pictures; on return that is durable.

    Args:
        log: open for writing.
        seqs: of the rows; one that is gone already is passed over.
        pictures_only: keep the rows, and note in them when the pictures went.
        now_s: that moment, seconds since the epoch.
        batch_rows: rows in a transaction.

    Raises:
        StorageError: not all could be deleted; what is half done is finished by `finish`.
    """
    with log.reading() as connection:
        connection.execute("PRAGMA secure_delete = ON")  # overwrite what is deleted, not only forget it
    removed = Removed()
    for start in range(0, len(seqs), batch_rows):
        batch = seqs[start : start + batch_rows]
        with log.transaction("delete results") as connection:
            gone = _strip(log, connection, batch, now_s) if pictures_only else _delete(connection, batch)
        removed += Removed(results=gone) + finish(log)
    return removed


def finish(log: ResultsLog) -> Removed:
    """Delete the files that `removals` lists, then the list; a file that is gone already is no error.

    Raises:
        StorageError: a file could not be deleted, and stays listed.
    """
    paths = pending_removals(log)
    if not paths:
        return Removed()
    state_dir = log.path.parent
    pictures = size = 0
    for path in paths:
        with storage_faults(state_dir / path, "delete the picture"):
            try:
                size += (state_dir / path).lstat().st_size
                (state_dir / path).unlink()
            except (FileNotFoundError, NotADirectoryError):
                continue
            pictures += 1
    for folder in {PurePosixPath(path).parent for path in paths}:
        _settle(state_dir / folder, state_dir / folder.parts[0])
    with log.transaction("clear the list of pictures to delete") as connection:
        connection.executemany("DELETE FROM removals WHERE path = ?", [(path,) for path in paths])
    return Removed(pictures=pictures, picture_bytes=size)


def pending_removals(log: ResultsLog) -> tuple[str, ...]:
    """Return the pictures that are to be deleted and that a removal which was cut short left.

    Raises:
        StorageError: the log cannot be read.
    """
    with log.reading() as connection:
        return tuple(path for (path,) in connection.execute("SELECT path FROM removals"))


def give_back_room(log: ResultsLog, *, truncate: bool) -> None:
    """Shrink the file of the log by the pages that deleted rows left, in steps that need little room.

    A log that an earlier version began cannot shrink: its free pages are used again by later rows.

    Args:
        log: open for writing.
        truncate: also empty the -wal file, where old content stays otherwise until it is overwritten; that
            waits for readers, and does nothing where one does not end.

    Raises:
        StorageError: the log cannot be written.
    """
    with log.reading() as connection:
        (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
        if mode == 2:  # incremental
            (left,) = connection.execute("PRAGMA freelist_count").fetchone()
            for _ in range(0, left, _PAGES_PER_STEP):
                # A script, because `execute` stops after the first page: each is a step without a row.
                connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_PER_STEP})")
        mode_of_checkpoint = "TRUNCATE" if truncate else "PASSIVE"
        connection.execute(f"PRAGMA wal_checkpoint({mode_of_checkpoint})").fetchall()


def _delete(connection: Any, seqs: Sequence[int]) -> int:
    deleted = 0
    for seq, _, text, image_path in _rows(connection, seqs):
        _doom(connection, named_pictures(text, image_path))
        connection.execute("DELETE FROM results WHERE seq = ?", (seq,))
        deleted += 1
    return deleted


def _strip(log: ResultsLog, connection: Any, seqs: Sequence[int], now_s: float) -> int:
    for seq, result_id, text, image_path in _rows(connection, seqs):
        _doom(connection, named_pictures(text, image_path))
        connection.execute(
            "UPDATE results SET image_path = NULL, record = ? WHERE seq = ?",
            (_without_pictures(log.path, result_id, text, now_s), seq),
        )
    return 0


def _without_pictures(path: Path, result_id: str, text: str, now_s: float) -> str:
    try:
        record = decode(text, result_id, path)
    except StorageError:
        return text  # a damaged row loses its picture all the same, and stays for `verify` to find
    explanation = record.explanation_path
    kept: ResultRecord = msgspec.structs.replace(
        record,
        image_path=None,
        explanation_path=None if explanation is not None and is_kept(explanation) else explanation,
        pictures_removed_at=utc_timestamp(now_s),
    )
    return encode(kept)


def _rows(connection: Any, seqs: Sequence[int]) -> Iterator[tuple[int, str, str, str | None]]:
    marks = ", ".join("?" * len(seqs))
    query = f"SELECT seq, result_id, record, image_path FROM results WHERE seq IN ({marks})"  # noqa: S608
    yield from connection.execute(query, tuple(seqs)).fetchall()


def _doom(connection: Any, paths: Iterable[str]) -> None:
    connection.executemany("INSERT OR IGNORE INTO removals VALUES (?)", [(path,) for path in paths])


def _settle(folder: Path, top: Path) -> None:
    """Make deletions in a folder durable, and delete it and its parents below `top` where they are empty."""
    with storage_faults(folder, "delete pictures"):
        while folder != top and folder.is_relative_to(top):
            if folder.is_dir():
                fsync_directory(folder)
                try:
                    os.rmdir(folder)  # noqa: PTH106 - fails where it is not empty, which is the point
                except OSError:
                    return
            folder = folder.parent
        if top.is_dir():
            fsync_directory(top)
