"""The log: what is appended is found again, in order, privately; and what fails says what to do."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sample_records import make_record

from skin_edge.errors import StorageError, UsageError
from skin_edge.results.log import FILE_NAME, ResultsLog


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_appended_record_is_found_again_with_its_id(tmp_path: Path) -> None:
    with ResultsLog(tmp_path) as log:
        first = log.append(make_record(image="a"))
        given = log.append(make_record(image="b", result_id="chosen"))
    assert given == "chosen"
    with ResultsLog(tmp_path) as log:
        assert log.get(first) == make_record(image="a", result_id=first)
        assert log.get("chosen").image == "b"
        assert log.count() == 2


def test_every_commit_is_flushed_before_it_is_acknowledged(tmp_path: Path) -> None:
    with ResultsLog(tmp_path) as log:
        pragmas = {
            name: log._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_files_are_private_even_under_an_open_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with ResultsLog(tmp_path / "a" / "state") as log:
            log.append(make_record())
            names = {path.name: mode(path) for path in (tmp_path / "a" / "state").iterdir()}
    finally:
        os.umask(before)
    assert names == {FILE_NAME: 0o600, f"{FILE_NAME}-wal": 0o600, f"{FILE_NAME}-shm": 0o600}
    assert mode(tmp_path / "a" / "state") == mode(tmp_path / "a") == 0o700


def test_an_id_already_used_is_refused(tmp_path: Path) -> None:
    with ResultsLog(tmp_path) as log:
        log.append(make_record(result_id="x", image="first"))
        with pytest.raises(StorageError, match="UNIQUE"):
            log.append(make_record(result_id="x", image="second"))
        assert log.get("x").image == "first"


class TestGet:
    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[ResultsLog]:
        log = ResultsLog(tmp_path)
        for identifier in ("019ba2c4-aaaa", "019ba2c4-aabb", "019ba2c5", "019ba2c5-ffff"):
            log.append(make_record(result_id=identifier))
        yield log
        log.close()

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ("019ba2c4-aab", "019ba2c4-aabb"),
            ("019BA2C4-AAB ", "019ba2c4-aabb"),
            ("019ba2c5", "019ba2c5"),
            ("019ba2c5-", "019ba2c5-ffff"),
        ],
    )
    def test_a_unique_beginning_is_enough(self, log: ResultsLog, wanted: str, found: str) -> None:
        assert log.get(wanted).result_id == found

    @pytest.mark.parametrize("wanted", ["019ba2c4", "0"])
    def test_several_that_begin_so_are_named(self, log: ResultsLog, wanted: str) -> None:
        with pytest.raises(UsageError, match=r"019ba2c4-aaaa and 019ba2c4-aabb"):
            log.get(wanted)

    @pytest.mark.parametrize("wanted", ["", " ", "1", "%", "_", "*", "019ba2c4-aabbc", "' OR 1=1 --"])
    def test_what_is_not_there_is_a_usage_error(self, log: ResultsLog, wanted: str) -> None:
        with pytest.raises(UsageError, match="no result has this id"):
            log.get(wanted)


class TestSelection:
    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[ResultsLog]:
        log = ResultsLog(tmp_path)
        for day, label, subject in (
            (3, "benign", "P-1"),
            (1, "malignant", "P-2"),  # the clock was wrong and is right now
            (2, "uncertain", None),
            (4, "malignant", "P-1"),
        ):
            created_at = f"2026-01-0{day}T12:00:00.000Z"
            log.append(make_record(image=str(day), created_at=created_at, label=label, subject=subject))
        yield log
        log.close()

    def test_list_gives_the_newest_rows_first_by_order_of_arrival(self, log: ResultsLog) -> None:
        assert [record.image for record in log.list()] == ["4", "2", "1", "3"]
        assert [record.image for record in log.list(2)] == ["4", "2"]

    def test_list_and_iter_all_select_alike(self, log: ResultsLog) -> None:
        assert [record.image for record in log.list(label="malignant")] == ["4", "1"]
        assert [record.image for record in log.list(subject="P-1", label="malignant")] == ["4"]
        assert [record.image for record in log.iter_all(subject="P-1")] == ["3", "4"]
        assert [record.image for record in log.list(subject="' OR 1=1 --")] == []

    def test_since_takes_in_its_own_moment_and_knows_time_zones(self, log: ResultsLog) -> None:
        noon = datetime(2026, 1, 3, 12)
        assert [record.image for record in log.list(since=noon)] == ["4", "3"]
        assert [record.image for record in log.list(since=noon + timedelta(milliseconds=1))] == ["4"]
        east = noon.replace(tzinfo=timezone(timedelta(hours=1)))  # an hour earlier in UTC
        assert [record.image for record in log.iter_all(since=east)] == ["3", "4"]


def test_iter_all_gives_every_row_in_order_while_rows_are_added(tmp_path: Path) -> None:
    with ResultsLog(tmp_path) as log:
        for number in range(600):
            log.append(make_record(image=str(number)))
        seen = []
        for record in log.iter_all():
            seen.append(record.image)
            if len(seen) == 300:
                log.append(make_record(image="600"))
        assert seen == [str(number) for number in range(601)]


class TestReadonly:
    def test_no_log_is_none_and_nothing_is_created(self, tmp_path: Path) -> None:
        assert ResultsLog.open_readonly(tmp_path / "nowhere") is None
        (tmp_path / "file").touch()
        assert ResultsLog.open_readonly(tmp_path / "file") is None
        assert ResultsLog.open_readonly(tmp_path) is None
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_rows_are_seen_while_another_writes(self, tmp_path: Path) -> None:
        with ResultsLog(tmp_path) as writer:
            writer.append(make_record())
            reader = ResultsLog.open_readonly(tmp_path)
            assert reader is not None
            with reader:
                assert reader.count() == 1
                writer.append(make_record())
                assert reader.count() == 2

    def test_nothing_can_be_written(self, tmp_path: Path) -> None:
        ResultsLog(tmp_path).close()
        reader = ResultsLog.open_readonly(tmp_path)
        assert reader is not None
        with reader, pytest.raises(StorageError) as caught:
            reader.append(make_record())
        assert caught.value.code == "storage-readonly"

    def test_a_file_of_no_bytes_left_by_a_crash_is_an_empty_log(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).touch()
        reader = ResultsLog.open_readonly(tmp_path)
        assert reader is not None
        with reader:
            assert reader.list() == ()


class TestFaults:
    @pytest.mark.parametrize("content", [b"not SQLite at all " * 100, b"SQLite format 3\0" + b"\xff" * 4096])
    def test_a_file_that_is_no_log_is_refused_and_left_alone(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / FILE_NAME
        path.write_bytes(content)
        for open_log in (ResultsLog, ResultsLog.open_readonly):
            with pytest.raises(StorageError, match="damaged or not a results log") as caught:
                open_log(tmp_path)
            assert (caught.value.code, caught.value.exit_code) == ("storage-corrupt", 5)
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)
        assert path.read_bytes() == content

    def test_a_damaged_page_is_reported_not_returned(self, tmp_path: Path) -> None:
        with ResultsLog(tmp_path) as log:
            for _ in range(50):
                log.append(make_record())
        path = tmp_path / FILE_NAME
        content = bytearray(path.read_bytes())
        half = len(content) // 2
        content[half:] = b"\x5a" * (len(content) - half)
        path.write_bytes(content)
        reader = ResultsLog.open_readonly(tmp_path)
        assert reader is not None
        with reader, pytest.raises(StorageError) as caught:
            list(reader.iter_all())
        assert caught.value.code == "storage-corrupt"

    def test_a_row_altered_from_outside_is_named(self, tmp_path: Path) -> None:
        with ResultsLog(tmp_path) as log:
            identifier = log.append(make_record())
        connection = sqlite3.connect(tmp_path / FILE_NAME)
        connection.execute("UPDATE results SET record = replace(record, '0.8125', '7')")
        connection.commit()
        connection.close()
        with ResultsLog(tmp_path) as log, pytest.raises(StorageError, match=identifier):
            log.list()

    def test_a_lock_that_is_not_given_up_is_reported(self, tmp_path: Path) -> None:
        with ResultsLog(tmp_path, busy_timeout_s=0.05) as log:
            other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="another process holds its lock") as caught:
                log.append(make_record())
            assert caught.value.code == "storage-locked"
            other.execute("ROLLBACK")
            other.close()
            log.append(make_record())
            assert log.count() == 1

    def test_a_lock_that_is_given_up_in_time_is_waited_for(self, tmp_path: Path) -> None:
        with ResultsLog(tmp_path) as log:
            other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None, check_same_thread=False)
            other.execute("BEGIN IMMEDIATE")
            timer = threading.Timer(0.2, other.execute, ("ROLLBACK",))
            timer.start()
            log.append(make_record())
            timer.join()
            other.close()

    def test_a_directory_that_cannot_be_made_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="cannot open the results log"):
            ResultsLog(tmp_path / "file" / "state")
        with pytest.raises(StorageError, match="cannot open the results log"):
            ResultsLog(tmp_path / "file")


def test_threads_that_open_the_log_at_once_keep_each_others_locks(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def write() -> None:
        try:
            for _ in range(10):
                with ResultsLog(tmp_path) as log:
                    log.append(make_record())
        except (OSError, sqlite3.Error) as error:
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with ResultsLog(tmp_path) as log:
        assert log.count() == 40
        assert log._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
