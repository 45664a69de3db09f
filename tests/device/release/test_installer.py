"""A release is installed whole or not at all, and what does not get well is not in use."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skin_edge.release.installer import InstallError, Releases, put_on_path, read_release

MakeRelease = Callable[..., Path]


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "opt"


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The skin-edge of the release is run, not that of a checkout."""
    monkeypatch.delenv("PYTHONPATH", raising=False)


def run(source: Path, prefix: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, source / "install.py", "--prefix", prefix, "--no-service", "--json", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, **options)


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_installed_upgraded_and_rolled_back(make_release: MakeRelease, prefix: Path) -> None:
    first, second = make_release("1.0.0"), make_release("1.1.0")
    answer = told(run(first, prefix))
    assert answer["activated"] is True
    assert answer["installed"] == answer["current"] == first.name.removeprefix("skin-edge-")
    program = prefix / "current" / "bin" / "skin-edge"
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "1.0.0\n"
    assert told(run(second, prefix))["current"].startswith("1.1.0-")
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "1.1.0\n"
    assert told(run(second, prefix, "rollback"))["current"].startswith("1.0.0-")
    again = told(run(first, prefix))
    assert again["activated"] is False
    assert [name[:5] for name in again["releases"]] == ["1.0.0", "1.1.0"]


def test_old_releases_go(make_release: MakeRelease, prefix: Path) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        answer = told(run(make_release(version), prefix, "--keep", "2"))
    assert [name[:5] for name in answer["removed"]] == ["1.0.0"]
    assert [name[:5] for name in answer["releases"]] == ["1.1.0", "1.2.0"]
    assert len(list((prefix / "releases").iterdir())) == 2


def alter(release: Path, **changes: object) -> None:
    path = release / "release.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda r: next((r / "wheels").glob("skin*")).write_bytes(b"PK"), "damaged or altered"),
        (lambda r: (r / "requirements.txt").write_text("evil==1 " + "x" * 1000), "damaged or altered"),
        (lambda r: (r / "wheels" / "evil-1.whl").touch(), "evil-1.whl is missing or does not belong there"),
        (lambda r: next((r / "wheels").glob("pip*")).unlink(), "is missing or does not belong there"),
        (lambda r: (r / "wheels" / "link").symlink_to("/etc"), "link is missing or does not belong there"),
        (lambda r: alter(r, python="2.7"), "is for Python 2.7"),
        (lambda r: alter(r, machine="sparc"), f"this is .* on {platform.machine()}"),
        (lambda r: alter(r, schema=99), "schema 99"),
        (lambda r: (r / "release.json").write_text("[]"), "not an unpacked release"),
    ],
)
def test_what_is_altered_or_for_another_machine_changes_nothing(
    make_release: MakeRelease, prefix: Path, spoil: Callable[[Path], object], said: str
) -> None:
    release = make_release("1.0.0")
    spoil(release)
    with pytest.raises(InstallError, match=said):
        read_release(release)
    done = run(release, prefix)
    assert done.returncode in (2, 6)
    assert json.loads(done.stdout)["current"] is None if "current" in json.loads(done.stdout) else True
    assert list((prefix / "releases").iterdir()) == []


def test_one_at_a_time(make_release: MakeRelease, prefix: Path) -> None:
    (prefix / "releases").mkdir(parents=True)
    with (prefix / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(make_release("1.0.0"), prefix)
    assert done.returncode == 6
    assert "another installation runs" in done.stderr


@pytest.fixture
def with_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that says yes; returns where the calls of skin-edge are noted."""
    folder = tmp_path / "bin"
    folder.mkdir()
    systemctl = folder / "systemctl"
    systemctl.write_text("#!/bin/sh\nexit 0\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return tmp_path / "calls"


def test_a_release_with_which_the_service_is_not_healthy_is_taken_back(
    make_release: MakeRelease, prefix: Path, with_service: Path, tmp_path: Path
) -> None:
    first, second = make_release("1.0.0"), make_release("1.1.0")
    releases = Releases(prefix, service=True)
    with releases.locked():
        old = releases.install(first)
        releases.activate(old)
        (tmp_path / "ill-1.1.0").touch()
        new = releases.install(second)
        with pytest.raises(InstallError, match=rf"no frame was classified; in use: {old}"):
            releases.activate(new)
        assert releases.current() == old
    assert not (prefix / "activation.json").exists()
    asked = [line.split(" --")[0] for line in with_service.read_text().splitlines() if "service" in line]
    assert asked == [
        "1.0.0 service install",
        "1.0.0 service wait",
        "1.1.0 service install",
        "1.1.0 service wait",
        "1.0.0 service install",
        "1.0.0 service wait",
    ]


def test_a_switch_that_was_cut_short_is_undone(
    make_release: MakeRelease, prefix: Path, with_service: Path
) -> None:
    first, second = make_release("1.0.0"), make_release("1.1.0")
    releases = Releases(prefix, service=True)
    with releases.locked():
        old = releases.install(first)
        releases.activate(old)
        new = releases.install(second)
    (prefix / "activation.json").write_text(json.dumps({"current": old, "previous": None, "trial": new}))
    (prefix / "current").unlink()
    (prefix / "current").symlink_to(f"releases/{new}")
    with releases.locked():
        assert releases.current() == old
    assert with_service.read_text().splitlines()[-1].startswith("1.0.0 service wait")


@pytest.mark.slow
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
        command = [sys.executable, second / "install.py", "--prefix", prefix, "--no-service"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
            time.sleep(chance.uniform(0, 1.1 * whole_s))
            os.killpg(process.pid, signal.SIGKILL)
        program = prefix / "current" / "bin" / "skin-edge"
        done = subprocess.run([program], capture_output=True, text=True, check=True)
        assert done.stdout in ("1.0.0\n", "1.1.0\n")
        assert told(run(second, prefix))["current"].startswith("1.1.0-")
        told(run(second, prefix, "rollback"))


def test_the_command_of_another_is_left_alone(tmp_path: Path, prefix: Path) -> None:
    theirs = tmp_path / "skin-edge"
    theirs.write_text("#!/bin/sh\n")
    put_on_path(prefix, theirs)
    assert not theirs.is_symlink()
    free = tmp_path / "free"
    put_on_path(prefix, free)
    assert str(free.readlink()) == f"{prefix}/current/bin/skin-edge"
    put_on_path(prefix, free)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
