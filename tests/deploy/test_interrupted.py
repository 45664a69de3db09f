"""Cut anywhere, a device runs its old model or the new one, and the same command again finishes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cutting import Cutter, interrupt_upload, wait_until
from loopback import USER, Host
from workstation import MakeBundle, Workstation

from skin_edge.model.bundle import open_bundle

MakeCutter = Callable[..., Cutter]


@pytest.fixture
def cutter(station: Workstation, host: Host) -> Iterator[MakeCutter]:
    """Put a network that fails in front of `host`: `cutter(bytes)`."""
    made: list[Cutter] = []

    def make(left: int | None, **options: bool) -> Cutter:
        one = Cutter(host.port, left, **options)
        made.append(one)
        with station.known_hosts.open("a") as stream:
            stream.write(host.known_hosts_line.replace(f":{host.port} ", f":{one.port} "))
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
def through(station: Workstation) -> Callable[[Cutter], str]:
    """The target behind a cutter."""
    return lambda cutter: f"{USER}@127.0.0.1:{cutter.port}"


def test_an_upload_that_was_cut_is_gone_on_with(
    station: Workstation, host: Host, better: Path, cutter: MakeCutter, through: Callable[[Cutter], str]
) -> None:
    size = better.stat().st_size
    (said,) = station.json(through(cutter(size // 2 + 20_000)), "--bundle", better)
    assert said["error"]["code"] == "connection-lost"
    assert host.current() is None
    (left,) = host.uploads()
    assert left.endswith(".part")

    (said,) = station.json(host.target, "--bundle", better, "--dry-run")
    assert "are there" in said["steps"][0]
    whole = cutter(None)
    (said,) = station.json(through(whole), "--bundle", better)
    assert said["status"] == "done"
    assert said["resumed_bytes"] > size // 4
    assert said["uploaded_bytes"] + said["resumed_bytes"] == size
    assert whole.passed < size - size // 4
    assert open_bundle(host.state / "models" / host.current()).model == open_bundle(better).model
    assert host.uploads() == []


def test_what_was_left_garbled_is_sent_again(station: Workstation, host: Host, better: Path) -> None:
    (said,) = station.json(host.target, "--bundle", better, "--dry-run")
    name = said["steps"][1].split()[-1]
    folder = host.home / ".cache" / "skin-edge" / "uploads"
    folder.mkdir(parents=True)
    # As after a power cut: the length is there, the bytes are not.
    (folder / f"{name}.part").write_bytes(bytes(better.stat().st_size))
    (said,) = station.json(host.target, "--bundle", better)
    assert said["status"] == "done"
    assert said["uploaded_bytes"] == better.stat().st_size


@pytest.mark.slow
def test_cut_at_every_stage_the_device_is_whole(
    station: Workstation, host: Host, better: Path, cutter: MakeCutter, through: Callable[[Cutter], str]
) -> None:
    size = better.stat().st_size
    cuts = [10, 1_500, 3_000, 6_000, 9_000, size // 3, size + 4_000, size + 9_000, size + 10_500]
    for left in cuts:
        station.json(through(cutter(left)), "--bundle", better)
        assert host.current() in (None, "ham-student-9.0.0")
    (said,) = station.json(host.target, "--bundle", better)
    assert said["status"] in ("done", "unchanged")
    assert host.current() == "ham-student-9.0.0"


def test_a_cut_while_it_installs_is_finished_by_the_device(
    station: Workstation, host: Host, better: Path, cutter: MakeCutter, through: Callable[[Cutter], str]
) -> None:
    network = cutter(None)
    said: list[dict[str, Any]] = []
    push = threading.Thread(target=lambda: said.extend(station.json(through(network), "--bundle", better)))
    push.start()
    wait_until((host.state / "models" / ".lock").exists)
    network.close()
    push.join(60)
    assert said[0]["error"]["code"] == "connection-lost"
    assert "goes on there by itself" in said[0]["message"]
    wait_until(lambda: host.current() == "ham-student-9.0.0" and host.uploads() == [], 60)
    (again,) = station.json(host.target, "--bundle", better)
    assert again["status"] == "unchanged"


def test_ctrl_c_leaves_the_host_as_it_is_and_says_how_to_go_on(
    station: Workstation,
    host: Host,
    make_bundle: MakeBundle,
    cli_script: str,
    cli_env: dict[str, str],
    cutter: MakeCutter,
    through: Callable[[Cutter], str],
) -> None:
    bundle = make_bundle("9.0.0")
    size = bundle.stat().st_size
    stuck = cutter(size // 2, silent=True)
    command = [cli_script, "deploy", through(stuck), "--bundle", str(bundle)]
    interrupt_upload(command, cli_env, stuck)
    assert host.current() is None
    (said,) = station.json(host.target, "--bundle", bundle)
    assert said["status"] == "done"
    assert said["resumed_bytes"] > 0


def test_a_host_that_falls_silent_is_given_up(
    station: Workstation, better: Path, cutter: MakeCutter, through: Callable[[Cutter], str]
) -> None:
    began = time.monotonic()
    (said,) = station.json(
        through(cutter(1_000, silent=True)), "--bundle", better, "--connect-timeout", 2, timeout=60
    )
    assert said["error"]["code"] == "timeout"
    assert time.monotonic() - began < 20


def test_two_pushes_of_one_bundle_at_once(station: Workstation, host: Host, better: Path) -> None:
    said: list[dict[str, Any]] = []
    pushes = [
        threading.Thread(target=lambda: said.extend(station.json(host.target, "--bundle", better)))
        for _ in range(2)
    ]
    for each in pushes:
        each.start()
    for each in pushes:
        each.join(120)
    assert sorted(str(one["status"]) for one in said) == ["done", "unchanged"], said
    assert host.current() == "ham-student-9.0.0"
    assert host.uploads() == []


def test_two_pushes_of_different_bundles_at_once(
    station: Workstation, host: Host, make_bundle: MakeBundle
) -> None:
    bundles = [make_bundle("9.0.0"), make_bundle("9.1.0")]
    said: list[dict[str, Any]] = []
    pushes = [
        threading.Thread(target=lambda b=b: said.extend(station.json(host.target, "--bundle", b)))  # type: ignore[misc]
        for b in bundles
    ]
    for each in pushes:
        each.start()
    for each in pushes:
        each.join(120)
    assert [one["status"] for one in said] == ["done", "done"], said
    assert host.current() in ("ham-student-9.0.0", "ham-student-9.1.0")
    assert open_bundle(host.state / "models" / "current").manifest.identity == host.current()


def test_uploads_that_nobody_finished_go_after_a_day(station: Workstation, host: Host, better: Path) -> None:
    import os

    folder = host.home / ".cache" / "skin-edge" / "uploads"
    folder.mkdir(parents=True)
    for name, age_s in (("old.part", 90_000), ("fresh.part", 60), ("mine.txt", 90_000)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    assert station.deploy(host.target, "--bundle", better).returncode == 0
    assert host.uploads() == ["fresh.part", "mine.txt"]
