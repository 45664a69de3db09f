"""What is installed from the wheelhouse is whole, works, and is cut off from every network."""

from __future__ import annotations

import json

from machine import Machine
from make_vm import VENV_PATH

from skin_edge import __version__


def test_the_wheel_installs_with_all_it_needs(machine: Machine) -> None:
    assert machine.ssh("uname -m").stdout.strip() == "aarch64"
    assert __version__ in machine.ssh("skin-edge --version").stdout
    machine.ssh(f"{VENV_PATH}/bin/pip check")


def test_the_shipped_model_gives_its_golden_vectors_here(machine: Machine) -> None:
    told = json.loads(machine.ssh("skin-edge model verify --json").stdout)
    assert told["ok"] is True
    assert told["golden"]["count"] > 0
    assert told["golden"]["max_logit_difference"] <= 1e-3


def test_systemd_came_up_whole(machine: Machine) -> None:
    state = machine.ssh("systemctl is-system-running --wait", check=False).stdout.strip()
    failed = machine.ssh("systemctl --failed --no-legend --plain").stdout
    assert state == "running", failed


def test_the_machine_reaches_nothing(machine: Machine) -> None:
    assert machine.ssh("ip route show default").stdout == ""
    # 10.0.2.2 is this host, as qemu's network shows it; it would answer on every port that is open here.
    tried = machine.ssh(f"timeout 10 bash -c 'echo >/dev/tcp/10.0.2.2/{machine.port}'", check=False)
    assert tried.returncode != 0
