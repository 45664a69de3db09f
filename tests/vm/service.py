"""The kiosk's service in the machine: installed, asked how it is, asked for captures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from machine import Machine

from skin_edge.service.layout import UNIT

HERE = Path(__file__).resolve().parent
HOME: Final = "/var/lib/skin-edge"
CLIENT: Final = "/opt/kiosk_client.py"
#: One camera that is there from the boot on; and patience, since an emulated one takes many times as long.
CAMERA: Final = (
    "echo vivid > /etc/modules-load.d/vivid.conf; "
    "echo options vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 > /etc/modprobe.d/vivid.conf; "
    "modprobe vivid && udevadm settle && test -c /dev/video0"
)
NO_CAMERA: Final = (
    "rm -f /etc/modules-load.d/vivid.conf /etc/modprobe.d/vivid.conf; "
    "for try in $(seq 30); do rmmod vivid && exit 0; sleep 1; done; exit 1"
)
SETTINGS: Final = """
capture: {source: "%s"}
camera: {open_timeout_s: 40, read_timeout_s: 15, backoff_max_s: 4}
kiosk: {capture_timeout_s: 120}
"""
HEALTHY_TIMEOUT_S: Final = 300.0
#: For a command of skin-edge: 20 s on idle cores, and many times that on a host that is busy.
COMMAND_TIMEOUT_S: Final = 400.0
_HEALTHZ: Final = (
    "import sys, urllib.request as r; "
    "sys.stdout.write(r.urlopen('http://127.0.0.1:8080/{path}', timeout=30).read().decode())"
)
#: In bash alone.
_UNTIL_HEALTHY: Final = (
    "healthy() { exec 3<>/dev/tcp/127.0.0.1/8080 && "
    "printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && "
    "head -n 1 <&3 | grep -q ' 200 '; }; "
    f"for try in $(seq {HEALTHY_TIMEOUT_S:.0f}); do healthy 2>/dev/null && break; sleep 1; done; healthy"
)
_LIST: Final = (
    f"runuser -u skin-edge -- env SKIN_EDGE_HOME={HOME} skin-edge results list --limit 100000 --json"
)


class Service:
    """skin-edge.service of a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def configure(self, source: str) -> None:
        """Write the settings: where frames come from."""
        self.machine.ssh(
            "mkdir -p /etc/skin-edge && cat > /etc/skin-edge/config.yaml && sync", stdin=SETTINGS % source
        )

    def install(self) -> None:
        """Install it with the command that a person uses, which waits until it is ready."""
        self.machine.copy_in(HERE / "kiosk_client.py", CLIENT)
        self.machine.ssh("skin-edge service install --no-display", timeout_s=COMMAND_TIMEOUT_S)

    def remove(self) -> None:
        """Take it away with all it wrote."""
        self.machine.ssh(
            "skin-edge service uninstall --purge --yes && rm -rf /etc/skin-edge && sync",
            timeout_s=COMMAND_TIMEOUT_S,
        )

    def show(self, name: str) -> str:
        """Return a property of the unit."""
        return self.machine.ssh(f"systemctl show {UNIT} --property={name} --value").stdout.strip()

    @property
    def restarts(self) -> int:
        """How often systemd restarted it since it was started by hand or at boot."""
        return int(self.show("NRestarts"))

    @property
    def pid(self) -> int:
        """Of its main process; 0 where none runs."""
        return int(self.show("MainPID"))

    def healthy(self) -> bool:
        """Whether /healthz answers with 200 now."""
        done = self.machine.ssh(f'python3 -c "{_HEALTHZ.format(path="healthz")}"', check=False)
        return done.returncode == 0

    def state(self) -> dict[str, Any]:
        """What the page knows."""
        told: dict[str, Any] = json.loads(
            self.machine.ssh(f'python3 -c "{_HEALTHZ.format(path="api/state")}"').stdout
        )
        return told

    def wait_healthy(self, timeout_s: float = HEALTHY_TIMEOUT_S) -> float:
        """Wait until it is healthy, with nobody's help; return how many seconds that took.

        Raises:
            AssertionError: it is not in time; says what its journal said last.
        """
        started = time.monotonic()
        done = self.machine.ssh(
            f"skin-edge service wait --timeout {timeout_s:.0f}", check=False, timeout_s=timeout_s + 60
        )
        assert done.returncode == 0, f"{done.stderr}\n{self.journal()}"
        return time.monotonic() - started

    def wait_until(self, what: str, condition: Callable[[], bool], timeout_s: float) -> float:
        """Wait for `condition()`, and return how many seconds that took.

        Raises:
            AssertionError: it does not hold in time; says what the journal said last.
        """
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < timeout_s, f"no {what}\n{self.journal()}"
            time.sleep(1.0)
        return time.monotonic() - started

    def capture(self, count: int = 1) -> list[dict[str, Any]]:
        """Ask for captures over HTTP, and return the answers."""
        told = self.machine.ssh(f"python3 {CLIENT} {count}", timeout_s=200.0 * count).stdout
        return [json.loads(line) for line in told.splitlines()]

    def logged(self) -> set[str]:
        """Return the ids of all results, as the command line lists them."""
        return _ids(self.machine.ssh(_LIST, timeout_s=COMMAND_TIMEOUT_S).stdout)

    def rows_once_healthy(self) -> tuple[set[str], int]:
        """Wait until it is healthy; return the ids in the log's file, and how often it was restarted.

        In one connection and without Python, whose start takes an emulated processor seconds.

        Raises:
            AssertionError: it is not healthy in time; says what its journal said last.
        """
        done = self.machine.ssh(
            f"{_UNTIL_HEALTHY} && systemctl show {UNIT} --property=NRestarts --value && "
            f"sqlite3 -readonly {HOME}/results.sqlite3 'SELECT result_id FROM results'",
            check=False,
            timeout_s=HEALTHY_TIMEOUT_S + 60,
        )
        assert done.returncode == 0, f"{done.stderr}\n{self.journal()}"
        restarts, *ids = done.stdout.split()
        return set(ids), int(restarts)

    def journal(self) -> str:
        """Return the end of its journal."""
        return self.machine.ssh(f"journalctl -u {UNIT} -b -n 40 --no-pager -o short-precise").stdout


def _ids(listed: str) -> set[str]:
    return {json.loads(line)["result_id"] for line in listed.splitlines()}
