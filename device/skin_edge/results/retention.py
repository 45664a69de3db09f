"""What goes by itself, oldest first, so that a full disk is met before it is full.

Kept pictures go by number, by age and where the disk runs low; rows only where the settings ask for it.
"Oldest" is the order in which rows were acknowledged: the wall clock of a Pi may jump.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from skin_edge.errors import StorageError
from skin_edge.faults import storage_faults
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import utc_timestamp
from skin_edge.results.removal import BATCH, Removed, finish, give_back_room, remove
from skin_edge.results.reserve import disk_bytes, free_bytes, hold_reserve, missing_bytes, release_reserve
from skin_edge.sections import RetentionConfig

_logger = logging.getLogger(__name__)

#: Between two looks at number and age; the free space is looked at every time, which costs microseconds.
ROWS_BETWEEN = 100
SECONDS_BETWEEN = 600.0

#: A state directory on a small disk would otherwise never keep a picture.
MAX_FREE_FRACTION = 0.1

#: A clock before this was not set: no row is as old as that, and by such a clock nothing is old.
CLOCK_FLOOR = "2025-01-01T00:00:00.000Z"

_DAY_S = 86_400.0

# A row of an unset clock is as old as the last row before it of a set one, else as the first after it.
_TRUE_TIME = (
    "CASE WHEN r.created_at >= :floor THEN r.created_at ELSE COALESCE("
    "(SELECT created_at FROM results WHERE seq < r.seq AND created_at >= :floor ORDER BY seq DESC LIMIT 1), "
    "(SELECT created_at FROM results WHERE seq > r.seq AND created_at >= :floor ORDER BY seq LIMIT 1)) END"
)
_OLDER = f"SELECT r.seq FROM results r WHERE r.created_at < :cutoff AND {_TRUE_TIME} < :cutoff"  # noqa: S608
_PICTURED = "r.image_path IS NOT NULL"


def older_than(log: ResultsLog, cutoff_s: float, now_s: float, where: str = "1") -> list[int]:
    """Return the `seq` of the rows taken before a moment, in no order.

    A row that was taken before the clock was set is taken for as old as its neighbours; by a clock that is
    not set itself, nothing is old.

    Args:
        log: open.
        cutoff_s: that moment, seconds since the epoch.
        now_s: the clock, likewise.
        where: a further SQL condition on the row ``r``; no text that a user typed.

    Raises:
        StorageError: the log cannot be read.
    """
    if utc_timestamp(now_s) < CLOCK_FLOOR:
        return []
    values = {"cutoff": utc_timestamp(cutoff_s), "floor": CLOCK_FLOOR}
    with log.reading() as connection:
        return [seq for (seq,) in connection.execute(f"{_OLDER} AND {where}", values)]


@dataclass(frozen=True, slots=True)
class Enforced:
    """What one call of `Retention.enforce` did.

    Attributes:
        removed: rows and pictures that went.
        free_bytes: what is free afterwards.
        warning: one line where room is short and nothing is left to delete, or deleting failed; else None.
    """

    removed: Removed
    free_bytes: int
    warning: str | None = None


class Retention:
    """The limits of the settings, kept to as rows are added.

    Args:
        log: open for writing; belongs to this thread.
        limits: the settings.
    """

    def __init__(self, log: ResultsLog, limits: RetentionConfig) -> None:
        self._log = log
        self._limits = limits
        self._state_dir = log.path.parent
        self._due_s = 0.0
        self._calls = 0
        self._warned: str | None = None
        with storage_faults(self._state_dir, "read the size of the disk"):
            self._wanted = min(limits.min_free_bytes, int(disk_bytes(self._state_dir) * MAX_FREE_FRACTION))

    def enforce(self, *, now: bool = False, quiet: bool = False) -> Enforced:
        """Delete what is beyond the limits; call it after every row.

        Never raises: the row before it is safe, and the next one shows whether it can be written. What is
        wrong is in `warning`, and logged once as long as it stays the same.

        Args:
            now: look at number and age too, even where that was done a moment ago; for a disk that is full.
            quiet: log nothing; for a caller that says itself what does not work.
        """
        free = self._free()
        self._calls += 1
        due = now or self._calls >= ROWS_BETWEEN or time.monotonic() >= self._due_s
        if not due and free >= self._wanted:
            return Enforced(Removed(), free)
        if due:
            self._calls, self._due_s = 0, time.monotonic() + SECONDS_BETWEEN
        removed, failure = Removed(), None
        try:
            removed = self._enforce(self._by_limits if due else self._by_room)
        except StorageError as error:
            failure = str(error)
        free = self._free()
        warning = failure or self._shortage(free)
        if not quiet:
            if warning is not None and warning != self._warned:
                _logger.warning("%s", warning)
            self._warned = warning
        return Enforced(removed, free, warning)

    def _enforce(self, work: Callable[[], Removed]) -> Removed:
        try:
            removed = work()
        except StorageError as error:
            if error.code != "storage-full":
                raise
            # Marking what is to go needs a few pages itself, which the reserve and -wal have.
            release_reserve(self._state_dir)
            with suppress(StorageError):
                give_back_room(self._log, truncate=True)
            removed = work()
        if not hold_reserve(self._state_dir):
            _logger.debug("%s: no room for a reserve", self._state_dir)
        return removed

    def _by_limits(self) -> Removed:
        limits, moment = self._limits, time.time()
        removed = finish(self._log)
        for pictures_only, keep, age_days in (
            (False, limits.max_results, limits.max_result_age_days),
            (True, limits.max_images, limits.max_image_age_days),
        ):
            where = _PICTURED if pictures_only else "1"
            if keep is not None:
                query = f"SELECT r.seq FROM results r WHERE {where} ORDER BY seq DESC LIMIT -1 OFFSET :keep"  # noqa: S608
                removed += self._remove(self._seqs(query, {"keep": keep}), pictures_only=pictures_only)
            if age_days is not None:
                seqs = older_than(self._log, moment - age_days * _DAY_S, moment, where)
                removed += self._remove(seqs, pictures_only=pictures_only)
        removed += self._by_room()
        if removed.results or self._free() < self._wanted:
            # The -wal file may hold 4 MB, which is much on a small disk.
            give_back_room(self._log, truncate=self._free() < self._wanted)
        return removed

    def _by_room(self) -> Removed:
        query = f"SELECT r.seq FROM results r WHERE {_PICTURED} ORDER BY seq LIMIT {BATCH}"  # noqa: S608
        removed = Removed()
        wanted = self._wanted + missing_bytes(self._state_dir) if self._wanted else 0
        while self._free() < wanted and (seqs := self._seqs(query, {})):
            removed += self._remove(seqs, pictures_only=True)
        return removed

    def _remove(self, seqs: list[int], *, pictures_only: bool) -> Removed:
        return remove(self._log, sorted(seqs), pictures_only=pictures_only, now_s=time.time())

    def _seqs(self, query: str, values: dict[str, int]) -> list[int]:
        with self._log.reading() as connection:
            return [seq for (seq,) in connection.execute(query, values)]

    def _free(self) -> int:
        try:
            return free_bytes(self._state_dir)
        except OSError:  # the next row says what is wrong with the directory
            return 0

    def _shortage(self, free: int) -> str | None:
        if free >= self._wanted:
            return None
        return (
            f"{self._state_dir}: less than {self._wanted // 1000} kB free on its disk, and no kept picture "
            "is left to delete: move other files away, or delete old results "
            "('skin-edge results purge --older-than 365d'); what is logged is safe"
        )
