"""The service on a whole machine: whatever ends or hangs it, it is healthy again by itself."""

from __future__ import annotations

import json
import logging
import subprocess
import time
from collections.abc import Iterator

import pytest
from machine import Machine
from service import CAMERA, COMMAND_TIMEOUT_S, NO_CAMERA, Service
from test_camera_taken_away import BIND, UNBIND

log = logging.getLogger(__name__)

#: Longer than the watchdog's 90 s: a lost camera is no reason to restart.
AWAY_S = 110.0
NOTICED_S = 90.0
RESTARTED_S = 240.0


@pytest.fixture(scope="module")
def installed(_installed: Machine) -> Iterator[Service]:
    """The service, on a machine that was booted with it."""
    if not _installed.running:
        _installed.boot()
    service = Service(_installed)
    _installed.ssh(CAMERA)
    service.configure("v4l2:0")
    service.install()
    _installed.shut_down()
    _installed.boot()
    yield service
    service.remove()
    _installed.ssh(NO_CAMERA)


@pytest.fixture
def service(installed: Service) -> Service:
    """The service, healthy."""
    installed.wait_healthy()
    return installed


def command(service: Service, words: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return service.machine.ssh(f"skin-edge {words}", check=check, timeout_s=COMMAND_TIMEOUT_S)


def test_it_is_healthy_after_a_boot_and_says_so_everywhere(installed: Service) -> None:
    took_s = installed.wait_healthy()
    log.info("healthy %.0f s after SSH answered", took_s)
    told = json.loads(command(installed, "service status --json").stdout)
    assert told["ok"] is True
    assert (told["service"]["state"], told["service"]["enabled"]) == ("active (running)", "enabled")
    assert (told["service"]["watchdog_s"], told["service"]["restarts"]) == (90.0, 0)
    assert told["service"]["last_beat"]
    assert told["display"] is None
    text = command(installed, "service status").stdout
    assert "healthy: a frame was classified" in text
    checked = json.loads(command(installed, "doctor --only service --json").stdout)
    assert checked["checks"][0]["status"] == "ok", checked


def test_a_capture_over_http_is_a_row_that_is_the_services_own(service: Service) -> None:
    answers = service.capture(2)
    assert [answer["http"] for answer in answers] == [200, 200]
    assert {answer["result_id"] for answer in answers} <= service.logged()
    told = service.machine.ssh("stat -c '%a %U' /var/lib/skin-edge /var/lib/skin-edge/results.sqlite3").stdout
    assert told.splitlines() == ["700 skin-edge", "600 skin-edge"]


def test_it_runs_locked_up(service: Service) -> None:
    inside = f"nsenter --target {service.pid} --mount --"
    places = "/x /etc/x /usr/x /opt/x /home/x /root/x /boot/x /var/lib/x"
    tried = service.machine.ssh(f"for place in {places}; do {inside} touch $place && echo $place; done; true")
    assert (tried.stdout, tried.stderr.count("\n")) == ("", len(places.split()))
    assert service.machine.ssh(f"{inside} ls -A /home /root").stdout.split() == ["/home:", "/root:"]
    status = service.machine.ssh(f"cat /proc/{service.pid}/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert (fields["CapBnd"], fields["CapEff"], fields["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
    assert fields["Seccomp"] == "2"


def test_installing_again_changes_nothing_and_restarts_nothing(service: Service) -> None:
    before = service.pid
    told = json.loads(command(service, "service install --no-display --json").stdout)
    assert {entry["action"] for entry in told["files"]} == {"keep"}
    assert service.pid == before


def test_killed_it_is_healthy_again(service: Service) -> None:
    (answer,) = service.capture()
    before, restarts, started = service.pid, service.restarts, time.monotonic()
    service.machine.ssh(f"kill -9 {before}")
    service.wait_until("new process", lambda: service.pid not in (0, before), RESTARTED_S)
    service.wait_healthy()
    log.info("healthy %.0f s after kill -9", time.monotonic() - started)
    assert service.restarts == restarts + 1
    assert answer["result_id"] in service.logged()
    processes = service.machine.ssh("pgrep -u skin-edge").stdout.split()
    assert len(processes) <= 2, "a capture process of the killed service is left"


def test_hanging_it_is_ended_by_the_watchdog_and_healthy_again(service: Service) -> None:
    before, started = service.pid, time.monotonic()
    service.machine.ssh(f"kill -STOP {before}")
    service.wait_until("new process", lambda: service.pid not in (0, before), RESTARTED_S)
    log.info("restarted %.0f s after it hung", time.monotonic() - started)
    service.wait_healthy()
    log.info("healthy %.0f s after it hung", time.monotonic() - started)
    said = service.machine.ssh("journalctl -u skin-edge.service -b --no-pager").stdout
    assert "Watchdog timeout" in said
    assert not service.machine.ssh("ls -A /var/lib/systemd/coredump", check=False).stdout.strip()


def test_a_camera_that_is_away_for_longer_than_the_watchdog_waits_restarts_nothing(service: Service) -> None:
    before, restarts, started = service.pid, service.restarts, time.monotonic()
    service.machine.ssh(UNBIND)
    took_s = service.wait_until("word of it", lambda: service.state()["camera"]["state"] == "lost", NOTICED_S)
    log.info("the page says it %.0f s after the camera was taken away", took_s)
    service.wait_until("503", lambda: not service.healthy(), 120.0)
    status = command(service, "service status", check=False)
    assert (status.returncode, "NOT HEALTHY" in status.stdout) == (6, True)
    (answer,) = service.capture()
    assert (answer["http"], answer["error"]["code"][:6]) == (503, "camera")
    time.sleep(max(0.0, AWAY_S - (time.monotonic() - started)))
    assert (service.pid, service.restarts) == (before, restarts), service.journal()
    started = time.monotonic()
    service.machine.ssh(BIND)
    service.wait_healthy()
    log.info("healthy %.0f s after the camera was given back", time.monotonic() - started)
    assert (service.pid, service.restarts) == (before, restarts), service.journal()
    assert service.capture()[0]["http"] == 200


def test_a_clock_that_jumps_back_and_forth_is_no_trouble(service: Service) -> None:
    before, restarts, ids = service.pid, service.restarts, set()
    try:
        for jump in ("2020-01-01", "2031-06-01"):
            service.machine.ssh(f"date --set {jump}")
            # A watchdog that went by the wall clock would strike now.
            time.sleep(15.0)
            assert service.healthy(), service.journal()
            (answer,) = service.capture()
            assert answer["http"] == 200, answer
            ids.add(answer["result_id"])
    finally:
        service.machine.ssh(f"date --set @{time.time():.0f}")
    service.wait_healthy()
    assert (service.pid, service.restarts) == (before, restarts), service.journal()
    assert ids <= service.logged()
    assert service.capture()[0]["http"] == 200
