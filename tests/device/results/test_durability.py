"""An acknowledged row stays: through kill -9, a second writer, a full disk and read-only storage."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.results.log import FILE_NAME, ResultsLog

HERE = Path(__file__).parent
KILLS = 200
WRITERS_AT_ONCE = 2


def start_writer(state_dir: Path, rows: int, tag: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, HERE / "log_writer.py", state_dir, str(rows), tag],
        stdout=subprocess.PIPE,  # stderr stays pytest's, which shows it with a failure
        text=True,
    )


def rest_of(writer: subprocess.Popen[str]) -> list[str]:
    """Wait for the end and return the whole lines not read yet; `communicate` would forget buffered ones."""
    assert writer.stdout is not None
    with writer.stdout as stdout:
        lines = stdout.read().splitlines(keepends=True)
    writer.wait(timeout=60)
    return [line.strip() for line in lines if line.endswith("\n")]


def integrity(state_dir: Path) -> str:
    connection = sqlite3.connect(state_dir / FILE_NAME)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


def stored_ids(state_dir: Path) -> list[str]:
    log = ResultsLog.open_readonly(state_dir)
    assert log is not None
    with log:
        return [str(record.result_id) for record in log.iter_all()]


@pytest.mark.slow
def test_kill_9_at_200_random_moments_under_load_loses_no_acknowledged_row(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    acknowledged: list[str] = []
    rounds_with_rows = 0
    for number in range(KILLS // WRITERS_AT_ONCE):
        writers = [start_writer(tmp_path, 1_000_000, f"{number}") for _ in range(WRITERS_AT_ONCE)]
        if number % 5 == 0:
            time.sleep(chance.uniform(0.0, 0.15))  # while it starts, opens, recovers, makes the schema
        else:
            assert writers[0].stdout is not None
            acknowledged.append(writers[0].stdout.readline().strip())
            time.sleep(chance.uniform(0.0, 0.1))
        for writer in writers:
            assert writer.poll() is None, f"seed {seed}: a writer ended by itself"
            writer.kill()
        identifiers = [identifier for writer in writers for identifier in rest_of(writer)]
        acknowledged += identifiers
        rounds_with_rows += bool(identifiers)
        if number % 20 == 0 and (tmp_path / FILE_NAME).exists():
            assert integrity(tmp_path) == "ok", f"seed {seed}, round {number}"
    stored = stored_ids(tmp_path)
    lost = set(acknowledged) - set(stored)
    assert not lost, f"seed {seed}: {len(lost)} of {len(acknowledged)} acknowledged rows are gone"
    assert len(set(stored)) == len(stored)
    # a row may be durable whose acknowledgement the kill cut off: at most one a writer
    assert len(stored) - len(acknowledged) <= KILLS
    assert integrity(tmp_path) == "ok", f"seed {seed}"
    assert rounds_with_rows > KILLS // WRITERS_AT_ONCE // 2
    assert len(acknowledged) > KILLS, "too little load for the kills to mean anything"


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path, 500, tag) for tag in ("a", "b")]
    acknowledged = []
    for writer in writers:
        acknowledged.append(rest_of(writer))
        assert writer.returncode == 0
    assert [len(ids) for ids in acknowledged] == [500, 500]
    stored = stored_ids(tmp_path)
    assert sorted(stored) == sorted(acknowledged[0] + acknowledged[1])
    with ResultsLog(tmp_path) as log:
        order = [record.image for record in log.iter_all()]
    for tag in ("a", "b"):
        assert [image for image in order if image.startswith(tag)] == [f"{tag} {n}" for n in range(500)]
    assert integrity(tmp_path) == "ok"


def test_after_kill_9_the_rows_are_read_without_writing_first(tmp_path: Path) -> None:
    writer = start_writer(tmp_path, 1_000_000, "x")
    assert writer.stdout is not None
    first = writer.stdout.readline().strip()
    writer.kill()
    rest_of(writer)
    assert (tmp_path / f"{FILE_NAME}-wal").stat().st_size > 0
    assert stored_ids(tmp_path)[0] == first


FULL_DISK = """
import json, os, sqlite3, sys
from pathlib import Path
from sample_records import make_record
from skin_edge.errors import StorageError
from skin_edge.results.log import FILE_NAME, ResultsLog

state = Path(sys.argv[1]) / "state"
acknowledged, errors = [], []

def fill():
    with open(Path(sys.argv[1]) / "ballast", "ab", buffering=0) as ballast:
        for size in (65536, 4096, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                pass

def append_until_refused(log):
    for _ in range(5000):
        try:
            acknowledged.append(log.append(make_record()))
        except StorageError as error:
            errors.append((error.code, error.exit_code, str(error)))
            return
    raise SystemExit("the disk never got full")

def check():
    ids = [record.result_id for record in log.iter_all()]
    assert ids == acknowledged, (len(ids), len(acknowledged))
    assert log._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

with ResultsLog(state) as log:
    for _ in range(10):
        acknowledged.append(log.append(make_record()))
    fill()
    append_until_refused(log)
    append_until_refused(log)
    check()
    (Path(sys.argv[1]) / "ballast").unlink()
    acknowledged.append(log.append(make_record()))
    check()
    fill()
    append_until_refused(log)
fill()
try:
    with ResultsLog(state) as log:  # a fresh start on the full disk
        append_until_refused(log)
except StorageError as error:
    errors.append((error.code, error.exit_code, str(error)))
(Path(sys.argv[1]) / "ballast").unlink()
with ResultsLog(state) as log:
    acknowledged.append(log.append(make_record()))
    check()
print(json.dumps({"errors": errors, "rows": len(acknowledged)}))
"""


def test_a_full_disk_is_said_and_leaves_the_log_whole_and_usable(run_on_tmpfs: Callable[..., str]) -> None:
    outcome = json.loads(run_on_tmpfs(FULL_DISK))
    assert outcome["rows"] >= 12
    assert len(outcome["errors"]) == 4
    for code, exit_code, message in outcome["errors"]:
        assert (code, exit_code) == ("storage-full", 5), message
        assert f"/{FILE_NAME}: cannot " in message
        assert "the disk is full; free room" in message


NO_ROOM_TO_START = """
import sys
from pathlib import Path
from skin_edge.errors import StorageError
from skin_edge.results.log import ResultsLog

room = Path(sys.argv[1])
try:
    with open(room / "ballast", "wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
except OSError:
    pass
try:
    ResultsLog(room)
except StorageError as error:
    print(error.code)
(room / "ballast").unlink()
with ResultsLog(room) as log:
    print(log.count())
"""


def test_a_log_that_found_no_room_to_begin_begins_later(run_on_tmpfs: Callable[..., str]) -> None:
    assert run_on_tmpfs(NO_ROOM_TO_START).split() == ["storage-full", "0"]


READ_ONLY = """
import subprocess, sys
from pathlib import Path
from sample_records import make_record
from skin_edge.errors import StorageError
from skin_edge.results.log import ResultsLog

room = Path(sys.argv[1])
with ResultsLog(room / "state") as log:
    log.append(make_record())
subprocess.run(["mount", "-o", "remount,ro", str(room)], check=True)
for work in (lambda: ResultsLog(room / "new"), lambda: ResultsLog(room / "state").append(make_record())):
    try:
        work()
    except StorageError as error:
        print(error.code)
with ResultsLog.open_readonly(room / "state") as log:
    print(log.count())
"""


def test_read_only_storage_is_said_when_writing_and_no_hindrance_to_reading(
    run_on_tmpfs: Callable[..., str],
) -> None:
    assert run_on_tmpfs(READ_ONLY).split() == ["storage-readonly", "storage-readonly", "1"]


FLUSHES = """
import os, sys
from pathlib import Path
import numpy as np
from sample_records import make_record
from skin_edge.results.images import ImageStore
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import new_result_id

state = Path(sys.argv[1])
log = ResultsLog(state)
os.write(1, b"opened")
for _ in range(3):
    log.append(make_record())
    os.write(1, b"appended")
ImageStore(state).save(np.zeros((8, 8, 3), np.uint8), new_result_id(0.0))
os.write(1, b"saved")
"""


def test_what_is_acknowledged_has_been_flushed_to_the_disk(
    tmp_path: Path, script_env: dict[str, str]
) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed, so the flushes before an acknowledgement cannot be seen")
    trace, state = tmp_path / "trace", tmp_path / "state"
    traced: list[str | Path] = [
        strace,
        "-f",
        "-y",
        "-o",
        trace,
        "-e",
        "trace=write,fsync,fdatasync,rename,renameat,renameat2",
    ]
    subprocess.run(
        [*traced, sys.executable, "-c", FLUSHES, state],
        check=True,
        capture_output=True,
        env=script_env,
        timeout=60,
    )
    flushed: list[list[str]] = [[]]
    for line in trace.read_text().splitlines():
        if found := re.search(r"f(?:data)?sync\(\d+<(.*?)>\) += 0|(rename)", line):
            flushed[-1].append(found[2] or str(Path(found[1]).relative_to(tmp_path)))
        elif '"opened"' in line or '"appended"' in line or '"saved"' in line:
            flushed.append([])
    opened, *appended, saved, _ = flushed
    assert opened[:3] == [
        "state",
        ".",
        "state",
    ]  # the directory, its name in its parent, the log's name in it
    assert appended == [[f"state/{FILE_NAME}-wal"]] * 3
    day = "state/images/1970/01/01"
    content, renamed, name = saved[-3:]
    assert content.startswith(f"{day}/.")
    assert (renamed, name) == ("rename", day)
    assert {"state", "state/images", "state/images/1970", "state/images/1970/01"} <= set(saved)
