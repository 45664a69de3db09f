"""A release file installs itself, on a Python that has nothing else, and goes back where asked."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skin_edge.release.shipped import MODULES, installer

MakeRelease = Callable[..., Path]
RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "opt"


def run(file: Path, prefix: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Isolated and without site-packages: what is not in the file or the standard library is not there."""
    command = [sys.executable, "-I", "-S", file, "--prefix", prefix, "--no-service", "--json", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def version_in_use(prefix: Path) -> str:
    """The skin-edge of the release is asked, not that of a checkout."""
    program = prefix / "current" / "bin" / "skin-edge"
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([program], capture_output=True, text=True, check=True, env=own).stdout.strip()


def test_installed_upgraded_and_rolled_back(make_release: MakeRelease, prefix: Path) -> None:
    first, second = make_release("1.0.0"), make_release("1.1.0")
    answer = told(run(first, prefix))
    assert answer["activated"] is True
    assert answer["installed"] == answer["current"]
    assert (answer["current"][:6], answer["previous"], answer["removed"]) == ("1.0.0-", None, [])
    assert version_in_use(prefix) == "1.0.0"
    assert told(run(second, prefix))["current"].startswith("1.1.0-")
    assert version_in_use(prefix) == "1.1.0"
    assert told(run(second, prefix, "rollback"))["current"].startswith("1.0.0-")
    assert version_in_use(prefix) == "1.0.0"
    again = told(run(first, prefix))
    assert again["activated"] is False
    assert [name[:5] for name in again["releases"]] == ["1.0.0", "1.1.0"]
    by_name = told(run(second, prefix, "activate", again["releases"][1]))
    assert by_name["activated"] is True
    assert version_in_use(prefix) == "1.1.0"
    listed = told(run(second, prefix, "list"))
    assert set(listed) == {"current", "previous", "releases"}
    assert [path.name for path in prefix.glob(".staging-*")] == []


def test_the_installed_command_does_the_same(
    make_release: MakeRelease, prefix: Path, run_cli: RunCli
) -> None:
    common = ("--prefix", str(prefix), "--json")
    empty = json.loads(run_cli("release", "list", *common).stdout)
    assert empty == {"current": None, "previous": None, "releases": []}
    for version in ("1.0.0", "1.1.0"):
        done = run_cli("release", "install", str(make_release(version)), "--no-service", *common)
        assert told(done)["current"].startswith(version)
    assert told(run_cli("release", "rollback", "--no-service", *common))["current"].startswith("1.0.0")
    assert version_in_use(prefix) == "1.0.0"
    shown = run_cli("release", "list", "--prefix", str(prefix)).stdout.splitlines()
    assert [line.split("  ")[1] for line in shown] == ["in use", "before"]
    refused = run_cli("release", "activate", "nothing", "--no-service", *common)
    assert refused.returncode == 2
    answer = json.loads(refused.stdout)
    assert answer["error"]["code"] == "not-installed"
    assert answer["current"].startswith("1.0.0")


def test_an_environment_does_not_stand_on_the_release_that_installed_it(
    make_release: MakeRelease, prefix: Path
) -> None:
    """The one before is deleted some day."""
    told(run(make_release("1.0.0"), prefix))
    command = [prefix / "current/bin/python", make_release("1.1.0"), "--prefix", prefix, "--no-service"]
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    for home in (prefix / "releases").iterdir():
        assert str(prefix) not in str((home / "bin/python").resolve())
        home_line = (home / "pyvenv.cfg").read_text().splitlines()[0]
        assert home_line.startswith("home = ")
        assert str(prefix) not in home_line


def test_old_releases_go(make_release: MakeRelease, prefix: Path) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        answer = told(run(make_release(version), prefix, "--keep", "2"))
    assert [name[:5] for name in answer["removed"]] == ["1.0.0"]
    assert [name[:5] for name in answer["releases"]] == ["1.1.0", "1.2.0"]
    assert len(list((prefix / "releases").iterdir())) == 2


def test_one_at_a_time(make_release: MakeRelease, prefix: Path) -> None:
    (prefix / "releases").mkdir(parents=True)
    release = make_release("1.0.0")
    with (prefix / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(release, prefix, "--wait", "0.3")
        recovering = run(release, prefix, "recover")
    assert done.returncode == 5
    assert json.loads(done.stdout)["error"]["code"] == "release-locked"
    assert told(recovering)["undone"] is None


def test_words_that_make_no_sense_end_in_one_line(make_release: MakeRelease, prefix: Path) -> None:
    release = make_release("1.0.0")
    for words in (["activate"], ["list", "1.0.0"], ["rollback"], ["activate", "../x"]):
        done = run(release, prefix, *words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert json.loads(done.stdout)["error"]["message"] in done.stderr


def test_without_root_or_systemd_the_service_is_left_alone(make_release: MakeRelease, prefix: Path) -> None:
    if os.geteuid() == 0 and Path("/run/systemd/system").is_dir():
        pytest.skip("root on a machine with systemd would install its service")
    done = subprocess.run(
        [sys.executable, make_release("1.0.0"), "--prefix", prefix, "--json"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] in ("not-root", "no-systemd")
    assert not prefix.exists()


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    assert installer() == installer()
    path = tmp_path / "installer.pyz"
    path.write_bytes(installer())
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {"__main__.py", *MODULES}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    done = run(path, tmp_path / "opt")
    assert done.returncode == 2
    assert "no release file" in done.stderr


def test_the_installer_that_is_kept_makes_itself_again(make_release: MakeRelease, prefix: Path) -> None:
    told(run(make_release("1.0.0"), prefix))
    kept = prefix / "installer.pyz"
    assert kept.read_bytes() == installer()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o644
    kept_by_itself = subprocess.run(
        [sys.executable, "-I", "-S", "-c",
         f"import sys; sys.path[0:0] = [{str(kept)!r}]; from skin_edge.release.shipped import installer;"
         "sys.stdout.buffer.write(installer())"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert kept_by_itself.stdout == kept.read_bytes()


@pytest.mark.long
def test_killed_at_any_moment_the_old_or_the_new_is_in_use_and_again_finishes(
    make_release: MakeRelease, prefix: Path
) -> None:
    first, second = make_release("1.0.0"), make_release("1.1.0")
    told(run(first, prefix))
    started = time.monotonic()
    told(run(second, prefix))
    whole_s = time.monotonic() - started
    told(run(second, prefix, "rollback"))
    chance = random.Random(6)
    for _ in range(8):
        for release in (prefix / "releases").glob("1.1.0-*"):
            (release / ".complete").unlink()
        (prefix / "previous").unlink(missing_ok=True)
        command = [sys.executable, second, "--prefix", prefix, "--no-service"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
            time.sleep(chance.uniform(0, 1.1 * whole_s))
            os.killpg(process.pid, signal.SIGKILL)
        assert version_in_use(prefix) in ("1.0.0", "1.1.0")
        assert told(run(second, prefix))["current"].startswith("1.1.0-")
        told(run(second, prefix, "rollback"))


def test_a_connection_that_goes_away_cuts_nothing_short(make_release: MakeRelease, prefix: Path) -> None:
    command = [sys.executable, make_release("1.0.0"), "--prefix", prefix, "--no-service"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert "checking" in process.stderr.readline()
        process.stderr.close()  # its reader is gone, and then its terminal
        os.killpg(process.pid, signal.SIGHUP)
        process.wait(200)
    assert version_in_use(prefix) == "1.0.0"
    assert not (prefix / "activation.json").exists()


def test_asked_to_end_it_takes_back_what_it_began(make_release: MakeRelease, prefix: Path) -> None:
    command = [sys.executable, make_release("1.0.0"), "--prefix", prefix, "--no-service"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "installing its wheels" not in process.stderr.readline():
            pass
        process.terminate()
        said = process.stderr.read()
    assert process.returncode == 130
    assert "the same command again finishes" in said
    assert list((prefix / "releases").iterdir()) == []
    assert list(prefix.glob(".staging-*")) == []
