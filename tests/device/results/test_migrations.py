"""The schema: every state that a released version left behind comes up to date, and only those."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sample_records import make_record

from skin_edge.errors import StorageError
from skin_edge.results import migrations
from skin_edge.results.log import FILE_NAME, ResultsLog
from skin_edge.results.migrations import MIGRATIONS, Migration, migrate, pending


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def schema(path: Path) -> set[str]:
    connection = connect(path)
    found = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    connection.close()
    return found


def make_state(path: Path, steps: tuple[Migration, ...]) -> None:
    """A log as it was when only `steps` were known, with one row once there is a table."""
    path.touch()
    connection = connect(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", steps)
        migrate(connection, path)
    if steps:
        connection.execute(
            "INSERT INTO results (result_id, created_at, label, record) "
            "VALUES ('old', 'then', 'benign', '{}')"
        )
    connection.close()


@pytest.mark.parametrize("known", range(len(MIGRATIONS) + 1))
def test_every_earlier_state_comes_up_to_date_and_keeps_its_rows(tmp_path: Path, known: int) -> None:
    path = tmp_path / FILE_NAME
    make_state(path, MIGRATIONS[:known])
    with ResultsLog(tmp_path) as log:
        log.append(make_record())
        assert log.count() == (2 if known else 1)
    fresh = tmp_path / "fresh"
    ResultsLog(fresh).close()
    assert schema(path) == schema(fresh / FILE_NAME)


def test_reading_a_log_of_an_earlier_state_brings_it_up_to_date(tmp_path: Path) -> None:
    make_state(tmp_path / FILE_NAME, MIGRATIONS[:1])
    log = ResultsLog.open_readonly(tmp_path)
    assert log is not None
    with log:
        assert log.count() == 1
    connection = connect(tmp_path / FILE_NAME)
    assert pending(connection, tmp_path) == ()
    connection.close()


def test_each_step_is_recorded_once_with_its_time(tmp_path: Path) -> None:
    for _ in range(2):
        ResultsLog(tmp_path).close()
    connection = connect(tmp_path / FILE_NAME)
    rows = connection.execute("SELECT name, applied_at FROM migrations ORDER BY name").fetchall()
    connection.close()
    assert [name for name, _ in rows] == [migration.name for migration in MIGRATIONS]
    assert all(applied_at.endswith("Z") for _, applied_at in rows)


def test_a_step_that_fails_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE_NAME
    make_state(path, MIGRATIONS)
    before = schema(path)
    broken = Migration("9999-broken", ("CREATE TABLE half (x)", "INSERT INTO nowhere VALUES (1)"))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(StorageError, match="nowhere"):
        ResultsLog(tmp_path)
    assert schema(path) == before
    monkeypatch.undo()
    with ResultsLog(tmp_path) as log:
        assert log.count() == 1


def test_a_log_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    make_state(path, (*MIGRATIONS, Migration("9999-from-the-future", ("CREATE TABLE future (x)",))))
    before = schema(path)
    for open_log in (ResultsLog, ResultsLog.open_readonly):
        with pytest.raises(StorageError, match=r"newer skin-edge .*9999-from-the-future.*upgrade") as caught:
            open_log(tmp_path)
        assert caught.value.code == "storage-newer"
    assert schema(path) == before


def test_processes_that_open_a_fresh_log_at_once_do_not_collide(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from skin_edge.results.log import ResultsLog\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for round in range(20): ResultsLog(Path(sys.argv[1]) / str(round)).close()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    for round_ in range(20):
        with ResultsLog(tmp_path / str(round_)) as log:
            assert log.count() == 0
