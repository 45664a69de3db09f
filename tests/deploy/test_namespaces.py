"""Twelve hosts, each in a network of its own where root may make those, else on twelve addresses of loopback.

The device command is a stand-in here, a script that answers at once: what is tested is the network and the
fleet. tests/deploy/test_many.py has the real one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from loopback import Host
from workstation import MakeHost, Workstation

COUNT = 12
STAND_IN = """#!/bin/sh
case "$*" in
    --version) echo "skin-edge 0.1.0" ;;
    "model install"*) echo '{"installed": "x", "activated": true, "current": "x"}' ;;
esac
"""


@dataclass(frozen=True)
class Network:
    """Where one host is."""

    address: str
    inside: tuple[str, ...] = ()
    link: str | None = None


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def networks() -> Iterator[list[Network]]:
    made: list[Network] = []
    prefix = f"se{os.getpid() % 10_000}"
    try:
        if os.geteuid() or shutil.which("ip") is None:
            raise PermissionError("networks of their own need root and iproute2")
        for number in range(COUNT):
            name = f"{prefix}-{number}"
            ip("netns", "add", name)
            made.append(Network(f"198.18.{number}.2", ("ip", "netns", "exec", name), f"{name}o"))
            ip("link", "add", f"{name}o", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("addr", "add", f"198.18.{number}.1/30", "dev", f"{name}o")
            ip("link", "set", f"{name}o", "up")
            ip("-n", name, "addr", "add", f"198.18.{number}.2/30", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield made
    except (PermissionError, subprocess.CalledProcessError):
        yield [Network(f"127.0.2.{number + 1}") for number in range(COUNT)]
    finally:
        for network in made:
            subprocess.run(["ip", "netns", "del", network.inside[-1]], check=False)


@pytest.fixture
def hosts(networks: list[Network], make_host: MakeHost) -> list[Host]:
    return [
        make_host(f"h{number}", address=network.address, inside=network.inside, port=2222)
        for number, network in enumerate(networks)
    ]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "skin-edge"
    path.write_text(STAND_IN)
    path.chmod(0o755)
    return path


def test_twelve_hosts_with_one_connection_each(
    station: Workstation, hosts: list[Host], better: Path, program: Path
) -> None:
    targets = [host.target for host in hosts]
    said = station.json(*targets, "--bundle", better, "--skin-edge", program, "--concurrency", 4)
    assert [one["status"] for one in said] == ["done"] * COUNT, said
    assert {one["target"] for one in said} == set(targets)
    assert [host.connections() for host in hosts] == [1] * COUNT
    assert [host.uploads() for host in hosts] == [[]] * COUNT


def test_a_pulled_cable_is_one_host_s_trouble(
    station: Workstation, networks: list[Network], hosts: list[Host], better: Path, program: Path
) -> None:
    link = networks[5].link
    if link is None:
        hosts[5].stop()
    else:
        ip("link", "set", link, "down")
    targets = [host.target for host in hosts]
    args = ("--bundle", better, "--skin-edge", program, "--connect-timeout", 8)
    done = station.deploy(*targets, *args)
    assert done.returncode == 6
    said = {line.partition(": ")[0]: line.partition(": ")[2] for line in done.stderr.splitlines()}
    assert said.pop(targets[5]).startswith("failed")
    assert set(said.values()) == {"done"}, said
