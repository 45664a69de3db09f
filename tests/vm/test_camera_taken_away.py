"""A camera (the kernel's vivid) is taken away and given back while skin-edge captures from it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator

import pytest
from following import Following
from machine import Machine

log = logging.getLogger(__name__)

DRIVER = "/sys/bus/platform/drivers/vivid"
THERE = "udevadm settle && test -c /dev/video0"
#: One device that captures, with one input, a webcam.
LOAD = f"modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 && {THERE}"
UNBIND = f"echo -n vivid.0 > {DRIVER}/unbind"
BIND = f"echo -n vivid.0 > {DRIVER}/bind && {THERE}"
#: Once unbound nothing holds it but a capture process that has yet to notice.
UNLOAD = "for try in $(seq 30); do rmmod vivid && exit 0; sleep 1; done; exit 1"

#: Emulated, a capture process takes many times as long to start as on a Pi.
SETTINGS = """
camera:
  open_timeout_s: 60
  read_timeout_s: 10
  backoff_max_s: 4
  restarts: {restarts}
"""
FIRST_DECISION_TIMEOUT_S = 180.0
NOTICE_TIMEOUT_S = 90.0  # the read time-out is 10 s; emulated, 15 to 58 s were measured
RESUME_TIMEOUT_S = 120.0
AWAY_S = 8.0

AWAY_AND_BACK = {"unbind": (UNBIND, BIND), "unload": (f"{UNBIND}; {UNLOAD}", LOAD)}


@pytest.fixture
def camera(machine: Machine) -> Iterator[Machine]:
    """The machine with a camera at /dev/video0, and no camera driver afterwards."""
    machine.ssh("if lsmod | grep -q ^vivid; then rmmod vivid; fi")
    machine.ssh(LOAD)
    yield machine
    machine.ssh(UNLOAD)


def capture(machine: Machine, name: str, *, restarts: int) -> Following:
    machine.ssh(f"cat > /root/{name}.yaml", stdin=SETTINGS.format(restarts=restarts))
    return Following(
        machine,
        f"env SKIN_EDGE_HOME=/root/{name} skin-edge capture --source v4l2:0 --json --interval 0.5 "
        f"--config /root/{name}.yaml",
    )


def decisions(capturing: Following) -> list[dict[str, object]]:
    return [row for _, line in list(capturing.out) if "result_id" in (row := json.loads(line))]


def logged_ids(machine: Machine, name: str) -> list[str]:
    listed = machine.ssh(f"SKIN_EDGE_HOME=/root/{name} skin-edge results list --limit 100000 --json").stdout
    return [json.loads(line)["result_id"] for line in listed.splitlines()][::-1]


def told_of_the_camera(capturing: Following, since: int) -> Callable[[], bool]:
    return lambda: any("v4l2:0" in line for _, line in capturing.err[since:])


@pytest.mark.parametrize("how", AWAY_AND_BACK)
def test_decisions_go_on_by_themselves_when_the_camera_is_back(camera: Machine, how: str) -> None:
    take_away, give_back = AWAY_AND_BACK[how]
    name = f"away-{how}"
    capturing = capture(camera, name, restarts=100)
    capturing.wait_for("decision", lambda: len(decisions(capturing)) >= 3, FIRST_DECISION_TIMEOUT_S)
    for _ in range(2):
        said, started = len(capturing.err), time.monotonic()
        camera.ssh(take_away)
        capturing.wait_for("word of the loss", told_of_the_camera(capturing, said), NOTICE_TIMEOUT_S)
        log.info("noticed %.1f s after the command to take it away", time.monotonic() - started)
        before = len(decisions(capturing))
        time.sleep(AWAY_S)
        assert capturing.running, capturing.said()
        assert len(decisions(capturing)) <= before + 1, "decisions about a camera that is not there"
        before, started = len(decisions(capturing)), time.monotonic()
        camera.ssh(give_back)

        def resumed(before: int = before) -> bool:
            return len(decisions(capturing)) >= before + 3

        capturing.wait_for("decision after the return", resumed, RESUME_TIMEOUT_S)
        log.info("three decisions %.1f s after the command to give it back", time.monotonic() - started)
    assert capturing.interrupt() == 130, capturing.said()
    assert "Traceback" not in capturing.said()
    printed = [row["result_id"] for row in decisions(capturing)]
    logged = logged_ids(camera, name)
    assert logged[: len(printed)] == printed, "an acknowledged row is lost"
    assert len(logged) - len(printed) <= 1, "Ctrl-C may come between a row and its acknowledgement, once"
    left = camera.ssh("pgrep --list-full python", check=False).stdout
    assert "skin_edge" not in left, "a capture process was left behind"


def test_a_camera_that_stays_away_ends_it_with_3_and_its_name(camera: Machine) -> None:
    capturing = capture(camera, "gone", restarts=2)
    capturing.wait_for("decision", lambda: len(decisions(capturing)) >= 1, FIRST_DECISION_TIMEOUT_S)
    camera.ssh(UNBIND)
    assert capturing.end(RESUME_TIMEOUT_S) == 3, capturing.said()
    assert "v4l2:0" in capturing.err[-1][1]
    assert "Traceback" not in capturing.said()
    assert [row["result_id"] for row in decisions(capturing)] == logged_ids(camera, "gone")


def test_no_camera_at_all_is_3_with_one_line(machine: Machine) -> None:
    machine.ssh("! test -e /dev/video0")
    told = machine.ssh("SKIN_EDGE_HOME=/root/none skin-edge capture --source v4l2:0 --once", check=False)
    assert told.returncode == 3
    assert "v4l2:0" in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stdout == ""
