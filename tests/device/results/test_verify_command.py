"""`skin-edge results verify`: what can be wrong is found, named, and put right where that is safe."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_records import make_record

from skin_edge.results.images import ImageStore
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import FILE_NAME, ResultsLog
from skin_edge.results.record import ResultRecord, new_result_id

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
PIXELS = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def kept(tmp_path: Path) -> list[ResultRecord]:
    """Three results with picture and explanation, in the state directory of `run_cli`."""
    state = tmp_path / "state"
    with ResultsLog(state) as log:
        keeping = Keeping(log, ImageStore(state))
        return [keeping.keep(make_record(result_id=new_result_id()), PIXELS, PIXELS) for _ in range(3)]


def verify(run_cli: RunCli, *options: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    done = run_cli("results", "verify", "--json", *options)
    told = json.loads(done.stdout)
    assert done.stderr == ""
    return done.returncode, told, {check["name"]: check for check in told["checks"]}


def failed(run_cli: RunCli, *options: str) -> dict[str, Any]:
    """The checks that failed, after seeing that the exit status says the same."""
    status, told, checks = verify(run_cli, *options)
    bad = {name: check for name, check in checks.items() if check["status"] == "fail"}
    assert (status, told["ok"]) == ((5, False) if bad else (0, True))
    return bad


def change(state: Path, statement: str) -> None:
    connection = sqlite3.connect(state / FILE_NAME)
    connection.execute(statement)
    connection.commit()
    connection.close()


def make_old(path: Path) -> Path:
    os.utime(path, (time.time() - 1000.0,) * 2)
    return path


def test_a_whole_log_passes_every_check(run_cli: RunCli, kept: list[ResultRecord]) -> None:
    status, told, checks = verify(run_cli)
    assert (status, told["ok"], told["repaired"]) == (0, True, [])
    assert list(checks) == [
        "database", "rows", "columns", "pictures", "hashes", "orphans", "temporaries", "removals", "modes"
    ]  # fmt: skip
    assert {check["status"] for check in checks.values()} == {"ok"}
    assert "all 3 rows" in checks["rows"]["message"]
    assert "all 6 pictures" in checks["pictures"]["message"]
    table = run_cli("results", "verify")
    assert table.returncode == 0
    assert "SQLite finds the file whole" in table.stdout


def test_a_missing_and_an_altered_picture_are_told_apart(
    run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord]
) -> None:
    paths = [tmp_path / "state" / str(record.image_path) for record in kept]
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes() + b"x")
    bad = failed(run_cli)
    assert set(bad) == {"pictures", "hashes"}
    assert bad["pictures"]["items"] == [kept[0].image_path]
    assert bad["hashes"]["items"] == [kept[1].image_path]
    shown = run_cli("results", "verify")
    assert shown.returncode == 5
    assert f"hashes: {kept[1].image_path}" in shown.stdout


def test_a_missing_explanation_is_found(run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord]) -> None:
    (tmp_path / "state" / str(kept[2].explanation_path)).unlink()
    assert failed(run_cli)["pictures"]["items"] == [kept[2].explanation_path]


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE results SET record = replace(record, '0.8125', '7') WHERE seq = 2", "rows"),
        ("UPDATE results SET record = '{}' WHERE seq = 2", "rows"),
        ("UPDATE results SET record = x'ff00' WHERE seq = 2", "rows"),
        ("UPDATE results SET label = 'benign' WHERE seq = 2", "columns"),
        ("UPDATE results SET subject = 'P-9' WHERE seq = 2", "columns"),
        ("UPDATE results SET image_path = NULL WHERE seq = 2", "columns"),
        ("UPDATE results SET created_at = '2020-01-01T00:00:00.000Z' WHERE seq = 2", "columns"),
    ],
)
def test_a_row_altered_from_outside_is_named(
    run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord], statement: str, name: str
) -> None:
    change(tmp_path / "state", statement)
    assert failed(run_cli)[name]["items"] == [kept[1].result_id]


def test_a_damaged_page_fails_and_is_no_traceback(
    run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord]
) -> None:
    with ResultsLog(tmp_path / "state") as log:
        for _ in range(100):
            log.append(make_record())
    path = tmp_path / "state" / FILE_NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\x5a" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    done = run_cli("results", "verify")
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert "fail" in done.stdout or "damaged" in done.stderr


def test_a_log_of_a_newer_version_is_exit_5(
    run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord]
) -> None:
    change(tmp_path / "state", "INSERT INTO migrations VALUES ('9999-future', 'now')")
    done = run_cli("results", "verify")
    assert done.returncode == 5
    assert "written by a newer skin-edge" in done.stderr


def test_orphans_are_moved_aside_and_temporaries_deleted(
    run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord]
) -> None:
    state = tmp_path / "state"
    change(state, "DELETE FROM results WHERE seq = 1")
    picture = make_old(state / str(kept[0].image_path))
    explanation = make_old(state / str(kept[0].explanation_path))
    temporary = picture.with_name(f".{picture.name}.0123456789ab.part")
    temporary.touch(0o600)
    make_old(temporary)
    content = picture.read_bytes()
    bad = failed(run_cli)
    assert {name: check["count"] for name, check in bad.items()} == {"orphans": 2, "temporaries": 1}
    status, told, _ = verify(run_cli, "--repair")
    assert (status, told["ok"], len(told["repaired"])) == (0, True, 3)
    aside = state / "orphans" / picture.relative_to(state / "images")
    assert aside.read_bytes() == content
    assert aside.stat().st_mode & 0o777 == 0o600
    assert not temporary.exists()
    assert not explanation.exists()
    assert failed(run_cli) == {}
    purged = json.loads(run_cli("results", "purge", "--orphans", "--yes", "--json").stdout)
    assert len(purged["aside"]) == 2
    assert not [path for path in (state / "orphans").rglob("*") if path.is_file()]
    assert len([path for path in (state / "images").rglob("*") if path.is_file()]) == 4


def test_a_file_of_a_running_capture_is_a_warning_and_stays(
    run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord]
) -> None:
    path = (tmp_path / "state" / str(kept[0].image_path)).with_name("new.png")
    path.touch(0o600)
    status, _, checks = verify(run_cli, "--repair")
    assert (status, checks["young"]["status"]) == (0, "warn")
    assert path.exists()


def test_a_deletion_that_was_cut_short_is_found_and_finished(
    run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord]
) -> None:
    state = tmp_path / "state"
    change(state, "DELETE FROM results WHERE seq = 1")
    for path in (kept[0].image_path, kept[0].explanation_path):
        change(state, f"INSERT INTO removals VALUES ('{path}')")
    assert failed(run_cli)["removals"]["count"] == 2
    assert verify(run_cli, "--repair")[0] == 0
    assert not (state / str(kept[0].image_path)).exists()


def test_modes_that_let_others_read_are_found_and_narrowed(
    run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord]
) -> None:
    state = tmp_path / "state"
    picture = state / str(kept[0].image_path)
    picture.chmod(0o644)
    picture.parent.chmod(0o755)
    (state / FILE_NAME).chmod(0o640)
    assert failed(run_cli)["modes"]["count"] >= 3
    assert verify(run_cli, "--repair")[0] == 0
    modes = [path.stat().st_mode & 0o777 for path in (picture, picture.parent, state / FILE_NAME)]
    assert modes == [0o600, 0o700, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_found(run_cli: RunCli, tmp_path: Path, kept: list[ResultRecord]) -> None:
    os.chown(tmp_path / "state" / str(kept[0].image_path), 12345, 12345)
    assert failed(run_cli)["modes"]["items"] == [kept[0].image_path]


def test_without_a_log_that_is_said_and_none_is_made(run_cli: RunCli, tmp_path: Path) -> None:
    for options in ([], ["--repair"], ["--json"]):
        done = run_cli("results", "verify", *options)
        assert (done.returncode, done.stdout) == (0, "")
        assert "no results yet" in done.stderr
    assert not (tmp_path / "state").exists()
