"""Deleting on request: what would go, and then that it goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skin_edge.errors import StorageError, UsageError
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import ResultRecord, utc_timestamp
from skin_edge.results.removal import (
    BATCH,
    LARGE_BATCH,
    Removed,
    give_back_room,
    named_pictures,
    remove,
)
from skin_edge.results.reserve import hold_reserve, release_reserve
from skin_edge.results.retention import CLOCK_FLOOR, older_than
from skin_edge.results.rows import READ_COLUMNS, from_row
from skin_edge.results.strays import GRACE_S, Strays, delete_strays, find_strays


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person wants to be rid of. A result goes where every condition that is given holds.

    Attributes:
        older_than_s: taken more than so many seconds ago.
        keep: not among the newest so many (of the subject, where one is given).
        subject: of this pseudonym.
        images_only: the rows stay, their pictures go.
        orphans: also pictures that no row names, and what interrupted writes left.
    """

    older_than_s: float | None = None
    keep: int | None = None
    subject: str | None = None
    images_only: bool = False
    orphans: bool = False

    @property
    def selects_results(self) -> bool:
        """True where a condition on results is given; without one, none goes."""
        return any(value is not None for value in (self.older_than_s, self.keep, self.subject))


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go.

    Attributes:
        seqs: of the rows, oldest first.
        pictures: paths of their kept pictures, relative to the state directory.
        picture_bytes: the size of those together.
        strays: what no row knows, where it was asked for.
        unreadable: rows encrypted with a key that is not at hand, which may be of the subject.
    """

    seqs: tuple[int, ...]
    pictures: tuple[str, ...]
    picture_bytes: int
    strays: Strays
    unreadable: int

    @property
    def nothing(self) -> bool:
        """True where there is nothing to delete."""
        return not (self.seqs or self.strays.all)


def plan(log: ResultsLog, selection: Selection, *, grace_s: float = GRACE_S) -> Plan:
    """Return what the selection stands for; nothing is changed.

    Raises:
        UsageError: the selection has no condition at all.
        StorageError: the log or the pictures cannot be read.
    """
    if not selection.selects_results and not selection.orphans:
        raise UsageError("nothing selected: give --older-than, --keep, --subject or --orphans")
    state_dir = log.path.parent
    seqs = _select(log, selection) if selection.selects_results else []
    pictures = tuple(_pictures(log, seqs))
    return Plan(
        seqs=tuple(seqs),
        pictures=pictures,
        picture_bytes=sum(_size(state_dir / path) for path in pictures),
        strays=find_strays(log, grace_s=grace_s) if selection.orphans else Strays(),
        unreadable=log.count_sealed() if selection.subject is not None else 0,
    )


def records(log: ResultsLog, seqs: tuple[int, ...]) -> Iterator[ResultRecord]:
    """Yield the results of a plan, in its order.

    Raises:
        StorageError: a row cannot be read.
    """
    for seq in seqs:
        with log.reading() as connection:
            query = f"SELECT {READ_COLUMNS} FROM results WHERE seq = ?"  # noqa: S608
            row = connection.execute(query, (seq,)).fetchone()
        if row is not None:
            yield from_row(row, log.path, log.keyring)


def carry_out(log: ResultsLog, chosen: Plan, *, images_only: bool) -> Removed:
    """Delete what was planned, overwrite the rows in the log's file, and give their room back.

    Raises:
        StorageError: not all could be deleted; run it again to finish.
    """
    state_dir = log.path.parent
    try:
        removed = _carry_out(log, chosen, images_only, LARGE_BATCH)
    except StorageError as error:
        # Deleting needs a little room itself, and on a full disk the reserve is that.
        if error.code != "storage-full" or not release_reserve(state_dir):
            raise
        removed = _carry_out(log, chosen, images_only, BATCH)
        hold_reserve(state_dir)
    return removed


def _carry_out(log: ResultsLog, chosen: Plan, images_only: bool, batch_rows: int) -> Removed:
    removed = remove(log, chosen.seqs, pictures_only=images_only, now_s=time.time(), batch_rows=batch_rows)
    removed += delete_strays(log, chosen.strays)
    give_back_room(log, truncate=True)
    return removed


def _select(log: ResultsLog, selection: Selection) -> list[int]:
    condition = "1"
    values: tuple[str, ...] = ()
    if selection.subject is not None:
        condition, values = log.subject_condition(selection.subject)
    if selection.images_only:
        condition = f"{condition} AND image_path IS NOT NULL"
    query = f"SELECT seq FROM results WHERE {condition} ORDER BY seq DESC LIMIT -1 OFFSET ?"  # noqa: S608
    with log.reading() as connection:
        seqs = [seq for (seq,) in connection.execute(query, (*values, selection.keep or 0))]
    if selection.older_than_s is not None:
        now_s = time.time()
        if utc_timestamp(now_s) < CLOCK_FLOOR:
            raise UsageError("the clock of this machine is not set, so nothing can be told to be old")
        old = set(older_than(log, now_s - selection.older_than_s, now_s))
        seqs = [seq for seq in seqs if seq in old]
    return sorted(seqs)


def _pictures(log: ResultsLog, seqs: list[int]) -> Iterator[str]:
    for seq in seqs:
        with log.reading() as connection:
            row = connection.execute(
                "SELECT record, image_path FROM results WHERE seq = ?", (seq,)
            ).fetchone()
        if row is not None:
            yield from named_pictures(*row)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
