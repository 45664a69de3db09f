"""The disk and the log: with room and without, whole and damaged, on real file systems."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from skin_edge.camera.drawing import draw
from skin_edge.config import Config
from skin_edge.frame import Frame
from skin_edge.health.checks import storage
from skin_edge.health.checks.check import Context
from skin_edge.health.checks.storage import check_disk, check_log
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import FILE_NAME, ResultsLog
from skin_edge.sections import HealthConfig
from skin_edge.session import Session

MakeContext = Callable[..., Context]
OnMount = Callable[..., "subprocess.CompletedProcess[str]"]

#: Runs the check in the mounted folder `$STATE`, with any limits; prints the finding as JSON.
CHECK = """$PYTHON -c '
import os, sys, msgspec
from pathlib import Path
from skin_edge.config import Config
from skin_edge.sections import HealthConfig
from skin_edge.health.checks.registry import make_context
from skin_edge.health.checks.storage import check_disk
from dataclasses import replace
context = make_context(None, None)
health = HealthConfig(min_free_mb=int(sys.argv[1]), warn_free_mb=int(sys.argv[2]))
context = replace(context, settings=Config(health=health), state_dir=Path(os.environ["STATE"]))
sys.stdout.buffer.write(msgspec.json.encode(check_disk(context)))
' """


def found(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_room_enough_is_ok_and_nothing_is_left_behind(make_context: MakeContext, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    settings = Config(health=HealthConfig(min_free_mb=1, warn_free_mb=1))
    finding = check_disk(make_context(settings=settings))
    assert finding.status == "ok", finding
    assert finding.data["file_system"]
    assert list(state.iterdir()) == []


def test_a_folder_that_is_not_there_yet_is_not_made(make_context: MakeContext, tmp_path: Path) -> None:
    settings = Config(health=HealthConfig(min_free_mb=1, warn_free_mb=1))
    finding = check_disk(make_context(settings=settings, state_dir=tmp_path / "a" / "b"))
    assert (finding.status, finding.data["folder"]) == ("ok", str(tmp_path))
    assert not (tmp_path / "a").exists()


def test_little_room_is_a_warning_and_less_a_failure(run_on_mount: OnMount) -> None:
    fill = 'head -c 40M /dev/zero > "$STATE/fill";'
    assert found(run_on_mount("size=64m", f"{fill} {CHECK} 10 100"))["status"] == "warn"
    finding = found(run_on_mount("size=64m", f"{fill} {CHECK} 50 100"))
    assert (finding["status"], "health.min_free_mb (50)" in str(finding["message"])) == ("fail", True)


def test_a_really_full_disk_fails_whatever_the_limits(run_on_mount: OnMount) -> None:
    fill = 'cat /dev/zero > "$STATE/fill" 2>/dev/null;'
    finding = found(run_on_mount("size=1m", f"{fill} {CHECK} 0 0"))
    assert finding["status"] == "fail"
    assert "cannot" in str(finding["message"])


def test_inodes_that_run_out_are_told(run_on_mount: OnMount) -> None:
    finding = found(run_on_mount("size=64m,nr_inodes=50", f"{CHECK} 1 1"))
    assert (finding["status"], "inodes" in str(finding["message"])) == ("fail", True)
    finding = found(run_on_mount("size=64m,nr_inodes=5000", f"{CHECK} 1 1"))
    assert (finding["status"], "inodes" in str(finding["message"])) == ("warn", True)


def test_a_disk_that_was_remounted_read_only_fails(run_on_mount: OnMount) -> None:
    finding = found(run_on_mount("size=64m", f'mount -o remount,ro "$STATE"; {CHECK} 1 1'))
    assert (finding["status"], "read-only" in str(finding["message"])) == ("fail", True)


def test_a_folder_that_this_user_may_not_write_fails(
    make_context: MakeContext, open_folder: Path, as_somebody_else: Callable[..., object]
) -> None:
    open_folder.chmod(0o555)
    settings = Config(health=HealthConfig(min_free_mb=1, warn_free_mb=1))
    context = make_context(settings=settings, state_dir=open_folder)
    finding = as_somebody_else(lambda: check_disk(context))
    open_folder.chmod(0o755)
    assert (finding.status, "Permission denied" in finding.message) == ("fail", True)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "vfat"])
def test_a_file_system_without_safe_locks_fails(
    make_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    # A network share cannot be mounted here: the table of mounts says that this folder is one.
    monkeypatch.setattr(storage, "read_mounts", lambda: [(Path("/"), "ext4"), (tmp_path, kind)])
    settings = Config(health=HealthConfig(min_free_mb=1, warn_free_mb=1))
    finding = check_disk(make_context(settings=settings))
    assert (finding.status, f"is on {kind}" in finding.message) == ("fail", True)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A real log with forty rows, closed."""
    with ResultsLog(tmp_path / "state") as log:
        session = Session(Classifier.load(default_bundle_path(), trusted=True), keeping=Keeping(log))
        for number in range(40):
            session.process(Frame(draw(0, 0).pixels, name=f"{number}", source="test"))
    return tmp_path / "state" / FILE_NAME


def test_no_log_is_skipped(make_context: MakeContext) -> None:
    assert check_log(make_context()).status == "skip"


def test_a_whole_log_is_ok_and_stays_as_it_is(make_context: MakeContext, log: Path) -> None:
    before = log.read_bytes()
    finding = check_log(make_context())
    assert (finding.status, finding.data["rows"]) == ("ok", 40)
    assert log.read_bytes() == before


def test_a_log_in_use_is_ok(make_context: MakeContext, log: Path) -> None:
    with ResultsLog(log.parent):
        assert check_log(make_context()).status == "ok"


def test_a_damaged_page_fails(make_context: MakeContext, log: Path) -> None:
    with closing(sqlite3.connect(log)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(log.read_bytes())
    for page in range(2, len(data) // size):
        data[page * size : page * size + 200] = b"\xff" * 200
    log.write_bytes(data)
    finding = check_log(make_context())
    assert (finding.status, "is damaged" in finding.message) == ("fail", True)
    assert "keep both" in (finding.fix or "")


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\0" * 84])
def test_a_file_that_is_no_log_fails(make_context: MakeContext, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE_NAME).write_bytes(content)
    assert check_log(make_context()).status == "fail"


def test_a_log_of_a_newer_version_fails(make_context: MakeContext, log: Path) -> None:
    from skin_edge.errors import StorageError

    with closing(sqlite3.connect(log)) as connection, connection:
        connection.execute("INSERT INTO migrations VALUES ('9999-future', '2027-01-01T00:00:00.000Z')")
    with pytest.raises(StorageError, match="newer skin-edge"):
        check_log(make_context())


def test_a_write_ahead_log_that_grew_is_a_warning(
    make_context: MakeContext, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_LARGE_WAL_MB", 0.01)
    with ResultsLog(log.parent) as writer:
        row = writer.list(limit=1)[0]
        import msgspec

        for _ in range(10):
            writer.append(msgspec.structs.replace(row, result_id=None))
        finding = check_log(make_context())
    assert (finding.status, "-wal has grown" in finding.message) == ("warn", True)


def test_a_log_of_another_user_is_told_as_such(
    make_context: MakeContext, open_folder: Path, as_somebody_else: Callable[..., object]
) -> None:
    state = open_folder / "state"
    ResultsLog(state).close()
    if (state.stat().st_mode & 0o777) != 0o700 or state.owner() != "root":
        pytest.skip("needs root to make the log of another user")
    context = make_context(state_dir=state)
    finding = as_somebody_else(lambda: check_log(context))
    assert (finding.status, "cannot be reached" in finding.message) == ("fail", True)  # type: ignore[attr-defined]
