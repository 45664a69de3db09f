"""Retention: the oldest goes first, by number, age and room, and a full disk is met before it is full."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sample_records import make_record

from skin_edge.errors import StorageError
from skin_edge.results import retention as retention_module
from skin_edge.results.images import ImageStore
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import new_result_id, utc_timestamp
from skin_edge.results.reserve import FILE_NAME as RESERVE
from skin_edge.results.reserve import RESERVE_BYTES, hold_reserve, release_reserve
from skin_edge.results.retention import Retention, older_than
from skin_edge.sections import RetentionConfig

PIXELS = np.zeros((8, 8, 3), np.uint8)
DAY_S = 86_400.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ResultsLog]:
    with ResultsLog(tmp_path) as opened:
        yield opened


def add(log: ResultsLog, number: int, *, taken_s: float | None = None, picture: bool = True) -> None:
    keeping = Keeping(log, ImageStore(log.path.parent) if picture else None)
    for _ in range(number):
        created_at = utc_timestamp(time.time() if taken_s is None else taken_s)
        keeping.keep(make_record(result_id=new_result_id(), created_at=created_at), PIXELS)


def pictured(log: ResultsLog) -> list[bool]:
    return [record.image_path is not None for record in log.iter_all()]


def files(log: ResultsLog) -> int:
    return sum(path.is_file() for path in (log.path.parent / "images").rglob("*"))


def enforce(log: ResultsLog, **limits: float | None) -> retention_module.Enforced:
    given = {"min_free_bytes": 0} | limits
    return Retention(log, RetentionConfig(**given)).enforce(now=True)  # type: ignore[arg-type]


def test_by_default_rows_are_kept_for_ever_and_pictures_as_long_as_there_is_room() -> None:
    assert RetentionConfig() == RetentionConfig(
        max_images=None,
        max_image_age_days=None,
        max_results=None,
        max_result_age_days=None,
        min_free_bytes=200_000_000,
    )


def test_without_limits_nothing_goes(log: ResultsLog) -> None:
    add(log, 3, taken_s=DAY_S * 20_000)
    assert enforce(log).removed == retention_module.Removed()
    assert pictured(log) == [True] * 3


def test_the_oldest_pictures_beyond_a_number_go_and_their_rows_stay(log: ResultsLog) -> None:
    add(log, 2)
    add(log, 2, picture=False)
    add(log, 3)
    assert enforce(log, max_images=3).removed.pictures == 2
    assert pictured(log) == [False, False, False, False, True, True, True]
    assert files(log) == 3


def test_the_oldest_results_beyond_a_number_go_whole(log: ResultsLog) -> None:
    add(log, 5)
    removed = enforce(log, max_results=2).removed
    assert (removed.results, removed.pictures) == (3, 3)
    assert (log.count(), files(log)) == (2, 2)


def test_pictures_and_results_go_at_their_own_age(log: ResultsLog) -> None:
    now = time.time()
    for days in (100, 40, 10):
        add(log, 1, taken_s=now - days * DAY_S)
    removed = enforce(log, max_image_age_days=30, max_result_age_days=90).removed
    assert (removed.results, removed.pictures) == (1, 2)
    assert pictured(log) == [False, True]


def test_a_row_of_an_unset_clock_is_as_old_as_its_neighbours(log: ResultsLog) -> None:
    now = time.time()
    add(log, 1, taken_s=1000.0)  # first of all: as old as the next
    add(log, 1, taken_s=now - 5 * DAY_S)
    add(log, 2, taken_s=1000.0)
    add(log, 1, taken_s=now)
    assert sorted(older_than(log, now - 10 * DAY_S, now)) == []
    assert sorted(older_than(log, now - 3 * DAY_S, now)) == [1, 2, 3, 4]


def test_by_a_clock_that_is_not_set_nothing_is_old(log: ResultsLog) -> None:
    add(log, 2, taken_s=0.0)
    assert older_than(log, 2000.0, 3000.0) == []


def test_where_the_disk_runs_low_the_oldest_pictures_go_until_there_is_room(
    log: ResultsLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(log, 40)
    monkeypatch.setattr(retention_module, "disk_bytes", lambda path: 10_000_000_000)
    # room that grows with each picture that goes: 16, a batch, are not enough, 32 are
    monkeypatch.setattr(retention_module, "free_bytes", lambda path: 500_000_000 - files(log) * 1_000_000)
    done = enforce(log, min_free_bytes=480_000_000)
    assert done.removed.pictures == 32
    assert done.warning is None
    assert pictured(log) == [False] * 32 + [True] * 8


def test_where_nothing_is_left_to_delete_that_is_said_once(
    log: ResultsLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add(log, 3)
    monkeypatch.setattr(retention_module, "disk_bytes", lambda path: 10_000_000_000)
    monkeypatch.setattr(retention_module, "free_bytes", lambda path: 1000)
    retention = Retention(log, RetentionConfig(min_free_bytes=1_000_000))
    with caplog.at_level(logging.WARNING):
        first, second = retention.enforce(), retention.enforce()
    assert (first.removed.pictures, second.removed.pictures) == (3, 0)
    assert first.warning is not None
    assert "less than 1000 kB free" in first.warning
    assert "results purge --older-than" in first.warning
    assert [record.getMessage() for record in caplog.records] == [first.warning]
    assert log.count() == 3


def test_at_most_a_tenth_of_a_small_disk_is_kept_free(
    log: ResultsLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(log, 1)
    monkeypatch.setattr(retention_module, "disk_bytes", lambda path: 50_000_000)
    monkeypatch.setattr(retention_module, "free_bytes", lambda path: 6_000_000)
    assert enforce(log, min_free_bytes=200_000_000).removed.pictures == 0
    monkeypatch.setattr(retention_module, "free_bytes", lambda path: 4_000_000)
    assert enforce(log, min_free_bytes=200_000_000).removed.pictures == 1


def test_most_calls_look_at_the_free_space_only(log: ResultsLog, monkeypatch: pytest.MonkeyPatch) -> None:
    retention = Retention(log, RetentionConfig(max_results=1, min_free_bytes=0))
    retention.enforce(now=True)
    statements: list[str] = []
    log._connection.set_trace_callback(statements.append)
    for _ in range(retention_module.ROWS_BETWEEN - 1):
        retention.enforce()
    assert statements == []
    retention.enforce()
    assert statements
    statements.clear()
    retention.enforce()
    assert statements == []
    monkeypatch.setattr(time, "monotonic", lambda: 1e12)
    retention.enforce()
    assert statements


def test_a_deletion_that_fails_is_a_warning_and_no_end_of_the_capture(
    log: ResultsLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(log, 3)

    def fail(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", fail)
    done = enforce(log, max_images=1)
    assert done.warning is not None
    assert "cannot delete the picture" in done.warning
    monkeypatch.undo()
    assert enforce(log, max_images=1).removed.pictures == 2, "the deletion is finished at the next occasion"


def test_the_reserve_is_real_room_private_and_given_back(tmp_path: Path) -> None:
    assert hold_reserve(tmp_path)
    status = (tmp_path / RESERVE).stat()
    assert status.st_size == RESERVE_BYTES
    assert status.st_blocks * 512 >= RESERVE_BYTES, "a hole in a file holds no room"
    assert status.st_mode & 0o777 == 0o600
    assert release_reserve(tmp_path, 100_000)
    assert (tmp_path / RESERVE).stat().st_size == RESERVE_BYTES - 100_000
    assert hold_reserve(tmp_path)
    assert (tmp_path / RESERVE).stat().st_size == RESERVE_BYTES
    assert release_reserve(tmp_path)
    assert not release_reserve(tmp_path)


def test_a_full_disk_makes_room_and_the_row_is_tried_again(tmp_path: Path) -> None:
    class Full(ResultsLog):
        refuse = 1

        def append(self, record: object) -> str:
            if self.refuse:
                self.refuse -= 1
                raise StorageError("the disk is full", code="storage-full")
            return super().append(record)  # type: ignore[arg-type]

    with Full(tmp_path) as log:
        keeping = Keeping(log, ImageStore(tmp_path), Retention(log, RetentionConfig(min_free_bytes=0)))
        kept = keeping.keep(make_record(result_id=new_result_id()), PIXELS, PIXELS)
        assert list(log.iter_all()) == [kept]
        log.refuse = 2
        with pytest.raises(StorageError, match="full"):
            keeping.keep(make_record(result_id=new_result_id()), PIXELS, PIXELS)
        assert files(log) == 2, "no picture is left of a row that could not be written"


def test_an_enforcement_that_has_nothing_to_do_takes_microseconds(log: ResultsLog) -> None:
    add(log, 50)
    retention = Retention(log, RetentionConfig(min_free_bytes=1, max_images=1000))
    retention.enforce(now=True)
    started = time.perf_counter()
    for _ in range(90):
        retention.enforce()
    per_call_s = (time.perf_counter() - started) / 90
    assert per_call_s < 0.001, f"{per_call_s * 1e6:.0f} us on {os.uname().machine}"
