"""A bare machine: no skin-edge, and nothing for it but the system's own Python; is provisioned over SSH."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from following import Following
from gathered import identity
from machine import Machine
from make_vm import VENV_PATH
from pushing import Workstation, answer
from service import CAMERA, HERE, HOME, SETTINGS, Service

PREFIX = "/opt/skin-edge"
#: Making an environment and proving a model takes an emulated processor minutes.
INSTALL_TIMEOUT_S = 1500.0
WATCHER = "/opt/watch_release.py"
_HEALTH = (
    'python3 -c "import sys, urllib.request as r; '
    "sys.stdout.write(r.urlopen('http://127.0.0.1:8080/healthz', timeout=30).read().decode())\""
)
_DOCTOR = f"runuser -u skin-edge -- env SKIN_EDGE_HOME={HOME} skin-edge doctor --json"


class BareMachine:
    """A machine of its own, which `skin-edge deploy clinic@machine --provision` makes a kiosk of.

    Args:
        machine: just made; is booted here.
        folder: for the workstation.
    """

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.service = Service(machine)
        self.station = Workstation(folder, machine)
        self._config = folder / "device.yaml"
        self._config.write_text(SETTINGS % "v4l2:0", encoding="utf-8")
        machine.boot()
        machine.ssh(f"rm -rf {VENV_PATH} /opt/wheelhouse && ! command -v skin-edge && sync", timeout_s=300.0)
        machine.ssh(CAMERA)
        for name in ("watch_steps.py", "watch_release.py", "kiosk_client.py"):
            machine.copy_in(HERE / name, f"/opt/{name}")

    def start(self, release: Path) -> subprocess.Popen[str]:
        """Start `skin-edge deploy --provision` with a release."""
        words = ("--provision", "--release", str(release), "--device-config", str(self._config))
        return self.station.start(*words)

    def provision(self, release: Path) -> dict[str, Any]:
        """Bring a release, and return what `skin-edge deploy` says of the machine."""
        return answer(self.start(release), INSTALL_TIMEOUT_S)

    def run(self, command: str) -> dict[str, Any]:
        """Run a command of the login that prints JSON; return that, with `exit`, `stderr` and `seconds`."""
        started = time.monotonic()
        done = self.machine.ssh(command, user="clinic", check=False, timeout_s=INSTALL_TIMEOUT_S)
        assert "Traceback" not in done.stderr, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told | {
            "exit": done.returncode,
            "stderr": done.stderr,
            "seconds": time.monotonic() - started,
        }

    def watch(self, release: Path) -> Following:
        """Follow the steps of an installation, which is to begin after this."""
        watch = Following(self.machine, f"python3 {WATCHER} {PREFIX} {identity(release)}")
        watch.wait_for("READY", lambda: bool(watch.out), 300.0)
        return watch

    def look(self) -> dict[str, Any]:
        """Return what is installed and in use, what the page and `doctor` say, once it has booted.

        Waits until a switch that was cut is undone, and for a healthy service where a release is in use.
        """
        links = self.machine.ssh(
            f"for try in $(seq 180); do test -e {PREFIX}/activation.json || break; sleep 1; done; "
            f"cat {PREFIX}/activation.json 2>/dev/null; echo; readlink {PREFIX}/current; echo $?; "
            f"systemctl is-enabled skin-edge.service 2>&1; echo $(ls -A {PREFIX} 2>/dev/null)",
            check=False,
            timeout_s=300.0,
        ).stdout.splitlines()
        pending, current = links[0], links[1] if links[1].startswith("releases/") else None
        state: dict[str, Any] = {
            "current": None if current is None else current.removeprefix("releases/"),
            "pending": pending,
            "names": links[-1].split(),
        }
        if current is None:
            return state
        self.service.wait_healthy()
        told = self.machine.ssh(
            f"{_HEALTH}; echo; skin-edge --version; {_DOCTOR}", check=False, timeout_s=400.0
        )
        health, version, doctor = told.stdout.splitlines()
        return state | {
            "healthy": json.loads(health)["status"],
            "version": version.split()[-1],
            "doctor": told.returncode,
            "checks": [c for c in json.loads(doctor)["checks"] if c["status"] not in ("ok", "skip")],
        }
