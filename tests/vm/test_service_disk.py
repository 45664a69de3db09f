"""The service with a full disk, a read-only root, and the power cut at random moments."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from machine import Machine
from service import CLIENT, HOME, Service

log = logging.getLogger(__name__)

#: Of twenty cuts, so many in each test: one test for all would meet its time limit on a busy host.
ROUNDS, CUTS = 4, 5
#: Captures on a disk that is filled before each; the log's reserve goes within them.
MAX_FILLED = 12
#: Answers before each cut, so that a cut meets a service at work.
MAX_ANSWERS = 3
#: Longer than one capture takes, so that any moment of one is met.
MAX_LATER_S = 3.0
FIRST_ANSWER_TIMEOUT_S = 240.0

SMALL_DISK = (
    "systemctl stop skin-edge && truncate -s 24M /small.img && mkfs.ext4 -q -m 0 /small.img && "
    f"mount -o loop /small.img {HOME} && chown skin-edge: {HOME} && chmod 700 {HOME} && "
    "systemctl start skin-edge"
)
NO_SMALL_DISK = f"systemctl stop skin-edge; umount {HOME}; rm -f /small.img; systemctl start skin-edge"
#: The last bytes too: in pieces that get smaller.
FILL = (
    "for size in 1M 64k 4k 1k; do "
    f"while fallocate -l $size {HOME}/fill.$(date +%s%N) 2>/dev/null; do :; done; done; "
    f"find {HOME} -name 'fill.*' -empty -delete; df --output=avail -k {HOME} | tail -1"
)

READ_ONLY = f"""\
/dev/vda / ext4 ro 0 1
tmpfs {HOME} tmpfs mode=0700,uid=skin-edge,gid=skin-edge 0 0
"""


@pytest.fixture(scope="module")
def installed(_installed: Machine) -> Iterator[Service]:
    """The service with the drawn camera: these faults are not the camera's."""
    if not _installed.running:
        _installed.boot()
    service = Service(_installed)
    service.configure("demo")
    service.install()
    yield service
    if not _installed.running:
        _installed.boot()
    service.remove()


@pytest.fixture
def service(installed: Service) -> Service:
    """The service, healthy."""
    if not installed.machine.running:
        installed.machine.boot()
    installed.wait_healthy()
    return installed


def test_a_full_disk_is_told_and_outlived(service: Service) -> None:
    service.machine.ssh(SMALL_DISK, timeout_s=400.0)
    try:
        service.wait_healthy()
        assert service.capture()[0]["http"] == 200
        before, restarts = service.pid, service.restarts
        answers: list[dict[str, Any]] = []
        # The log has a reserve for this moment, which lasts for some rows: it is filled up as well.
        while not any(answer["http"] == 507 for answer in answers) and len(answers) < MAX_FILLED:
            log.info("%s KiB left", service.machine.ssh(FILL).stdout.strip())
            answers += service.capture()
        assert {answer["http"] for answer in answers[:-1]} <= {200}, answers
        assert answers[-1]["http"] == 507, answers
        assert answers[-1]["error"]["message"]
        assert service.state()["disk"]["low"] is True
        assert service.healthy(), "a full disk is no reason to hide the page"
        service.machine.ssh(f"rm -f {HOME}/fill.*")
        (answer,) = service.capture()
        assert answer["http"] == 200, answer
        service.wait_healthy()
        assert (service.pid, service.restarts) == (before, restarts), service.journal()
        acknowledged = {answer["result_id"] for answer in answers if answer["http"] == 200}
        assert acknowledged <= service.logged()
    finally:
        service.machine.ssh(NO_SMALL_DISK, timeout_s=400.0)


def test_a_full_disk_at_the_start_is_waited_out(service: Service) -> None:
    service.machine.ssh(SMALL_DISK, timeout_s=400.0)
    try:
        service.machine.ssh(f"systemctl stop skin-edge; {FILL}; systemctl start --no-block skin-edge")
        time.sleep(30.0)
        service.machine.ssh(f"rm -f {HOME}/fill.*")
        service.wait_healthy()
        assert service.capture()[0]["http"] == 200
    finally:
        service.machine.ssh(NO_SMALL_DISK, timeout_s=400.0)


def test_a_root_that_is_read_only_with_a_state_folder_that_is_not(service: Service) -> None:
    machine = service.machine
    machine.ssh("cp /etc/fstab /etc/fstab.before && cat > /etc/fstab && sync", stdin=READ_ONLY)
    machine.shut_down()
    machine.boot()
    try:
        assert machine.ssh("findmnt -no OPTIONS /").stdout.startswith("ro,")
        log.info("healthy %.0f s after SSH answered", service.wait_healthy())
        (answer,) = service.capture()
        assert answer["http"] == 200, answer
        assert answer["result_id"] in service.logged()
        assert service.restarts == 0, service.journal()
    finally:
        machine.ssh("mount -o remount,rw / && mv /etc/fstab.before /etc/fstab && sync")
        machine.shut_down()
        machine.boot()


@pytest.mark.parametrize("_", range(ROUNDS))
def test_no_acknowledged_result_is_lost_at_any_power_cut(service: Service, _: int) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    acknowledged, took_s = set[str](), list[float]()
    for number in range(CUTS):
        acknowledged |= capture_until_cut(service.machine, chance)
        started = time.monotonic()
        service.machine.boot()
        logged, restarts = service.rows_once_healthy()
        took_s.append(time.monotonic() - started)
        lost = acknowledged - logged
        where = f"seed {seed}, cut {number}"
        assert not lost, f"{where}: {len(lost)} of {len(acknowledged)} acknowledged results lost"
        log.info("cut %d: %d acknowledged so far, %d rows", number + 1, len(acknowledged), len(logged))
        assert restarts == 0, f"{where}: healthy only after a restart\n{service.journal()}"
    assert acknowledged <= service.logged(), "in the file, and not listed"
    verdict = service.machine.ssh(f"sqlite3 {HOME}/results.sqlite3 'PRAGMA integrity_check'").stdout
    assert verdict.strip() == "ok", f"seed {seed}"
    log.info("%d cuts, %d acknowledged results, none lost", CUTS, len(acknowledged))
    log.info(
        "healthy, and all rows there, %.0f to %.0f s after the power came back", min(took_s), max(took_s)
    )
    assert len(acknowledged) >= CUTS


def capture_until_cut(machine: Machine, chance: random.Random) -> set[str]:
    """Capture over HTTP, cut the power at a random moment; return the ids that came with a 200."""
    process = machine.start(f"exec python3 {CLIENT} 0")
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(chance.randint(1, MAX_ANSWERS))]
    time.sleep(chance.uniform(0.0, MAX_LATER_S))  # any moment of a capture, not the one after an answer
    machine.cut_power()
    rest, errors = process.communicate(timeout=60)
    answers = [json.loads(line) for line in (*printed, *rest.splitlines()) if line.rstrip().endswith("}")]
    assert answers, errors
    assert {answer["http"] for answer in answers} == {200}, answers
    return {answer["result_id"] for answer in answers}
