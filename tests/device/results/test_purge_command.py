"""`skin-edge results purge` as a user and as a script sees it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sample_records import make_record

from skin_edge.results.images import ImageStore
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import FILE_NAME, ResultsLog
from skin_edge.results.record import new_result_id, utc_timestamp

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
PIXELS = np.zeros((8, 8, 3), np.uint8)
DAY_S = 86_400.0


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Six results, newest last: P-1 taken 400, 40 and 4 days ago, P-2 likewise; each with a picture."""
    state = tmp_path / "state"
    with ResultsLog(state) as log:
        keeping = Keeping(log, ImageStore(state))
        for days in (400, 40, 4):
            for subject in ("P-1", "P-2"):
                taken = utc_timestamp(time.time() - days * DAY_S)
                record = make_record(
                    result_id=new_result_id(), created_at=taken, subject=subject, image=f"{subject} {days}"
                )
                keeping.keep(record, PIXELS)
    return state


def left(state: Path) -> list[str]:
    with ResultsLog(state) as log:
        return [record.image for record in log.iter_all()]


def pictured(state: Path) -> list[str]:
    with ResultsLog(state) as log:
        return [record.image for record in log.iter_all() if record.image_path is not None]


def orphan(state: Path, age_s: float = 1000.0) -> Path:
    path = state / "images" / "2026" / "01" / "01" / "00000000-0000-7000-8000-000000000000.png"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(0o600)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


ALL = ["P-1 400", "P-2 400", "P-1 40", "P-2 40", "P-1 4", "P-2 4"]


@pytest.mark.parametrize(
    ("options", "stays"),
    [
        (["--older-than", "30d"], ALL[4:]),
        (["--older-than", "1y"], ALL[2:]),
        (["--older-than", "2w", "--keep", "3"], ALL[3:]),
        (["--keep", "2"], ALL[4:]),
        (["--keep", "0"], []),
        (["--subject", "P-1"], ["P-2 400", "P-2 40", "P-2 4"]),
        (["--subject", "P-1", "--keep", "1"], ["P-2 400", "P-2 40", "P-1 4", "P-2 4"]),
        (["--subject", "P-1", "--older-than", "100d"], ALL[1:]),
        (["--subject", "nobody"], ALL),
    ],
)
def test_what_goes_is_what_every_condition_names(
    run_cli: RunCli, state_dir: Path, options: list[str], stays: list[str]
) -> None:
    shown = run_cli("results", "purge", *options, "--dry-run", "--json")
    assert left(state_dir) == ALL, "a dry run deletes nothing"
    told = json.loads(shown.stdout)
    assert (told["dry_run"], told["results"], len(told["pictures"])) == (True, *[6 - len(stays)] * 2)
    done = run_cli("results", "purge", *options, "--yes", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == told | {"dry_run": False}
    assert left(state_dir) == pictured(state_dir) == stays
    assert len(list((state_dir / "images").rglob("*.png"))) == len(stays)


def test_images_only_leaves_the_rows(run_cli: RunCli, state_dir: Path) -> None:
    done = run_cli("results", "purge", "--keep", "1", "--images-only", "--yes")
    assert done.returncode == 0
    assert "to delete: the pictures of 5 results, 5 pictures" in done.stdout
    assert "deleted 0 results and 5 files" in done.stdout
    assert (left(state_dir), pictured(state_dir)) == (ALL, ["P-2 4"])
    shown = run_cli("results", "list", "--json", "-n", "6").stdout.splitlines()
    assert sum(json.loads(line)["pictures_removed_at"] is not None for line in shown) == 5


def test_what_would_go_is_shown_before_it_goes(run_cli: RunCli, state_dir: Path) -> None:
    done = run_cli("results", "purge", "--subject", "P-1", "--yes")
    table, deleted = done.stdout.split("to delete: 3 results, 3 pictures")
    assert [line.split()[-4:-2] for line in table.splitlines()[2:5]] == [
        ["P-1", d] for d in ("400", "40", "4")
    ]
    assert "deleted 3 results and 3 files" in deleted


def test_without_yes_and_with_nobody_to_ask_nothing_goes(run_cli: RunCli, state_dir: Path) -> None:
    done = run_cli("results", "purge", "--keep", "0", stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "give --yes to delete, or --dry-run" in done.stderr
    assert left(state_dir) == ALL


@pytest.mark.parametrize(("answer", "status", "rest"), [("y\n", 0, []), ("n\n", 2, ALL)])
def test_a_person_is_asked(
    cli_script: str, cli_env: dict[str, str], state_dir: Path, answer: str, status: int, rest: list[str]
) -> None:
    master, slave = os.openpty()
    process = subprocess.Popen(
        [cli_script, "results", "purge", "--keep", "0"],
        env=cli_env, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.write(master, answer.encode())
    _, errors = process.communicate(timeout=60)
    os.close(master)
    os.close(slave)
    assert "Delete them for good?" in errors
    assert process.returncode == status
    assert left(state_dir) == rest


def test_orphans_go_and_those_of_a_running_capture_stay(run_cli: RunCli, state_dir: Path) -> None:
    old = orphan(state_dir)
    young = old.with_name("11111111-0000-7000-8000-000000000000.png")
    young.touch()
    temporary = old.with_name(f".{old.name}.0123456789ab.part")
    temporary.touch()
    os.utime(temporary, (1.0, 1.0))
    told = json.loads(run_cli("results", "purge", "--orphans", "--yes", "--json").stdout)
    assert told["orphans"] == [str(old.relative_to(state_dir))]
    assert told["temporaries"] == [str(temporary.relative_to(state_dir))]
    assert (old.exists(), temporary.exists(), young.exists()) == (False, False, True)
    assert left(state_dir) == ALL


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--images-only"],
        ["--older-than", "90"],
        ["--older-than", "0d"],
        ["--older-than", "60y"],
        ["--older-than", "-1d"],
        ["--keep", "-1"],
    ],
)
def test_a_wrong_option_is_a_usage_error_of_one_line(
    run_cli: RunCli, state_dir: Path, options: list[str]
) -> None:
    done = run_cli("results", "purge", *options, "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert left(state_dir) == ALL


def test_without_a_log_none_is_made(run_cli: RunCli, tmp_path: Path) -> None:
    for option in ("--yes", "--dry-run"):
        done = run_cli("results", "purge", "--keep", "0", option)
        assert (done.returncode, done.stdout) == (0, "")
        assert "no results yet" in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_capture_that_runs_meanwhile_loses_nothing(run_cli: RunCli, state_dir: Path) -> None:
    with ResultsLog(state_dir) as log:
        keeping = Keeping(log, ImageStore(state_dir))
        run_cli("results", "purge", "--keep", "0", "--orphans", "--yes")
        kept = keeping.keep(make_record(result_id=new_result_id()), PIXELS)
        assert list(log.iter_all()) == [kept]
    assert (state_dir / FILE_NAME).exists()
