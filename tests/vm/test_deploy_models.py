"""Good and bad models over the wire: only a good one is used, and the service serves but for its restart."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bundles import (
    altered,
    crashing_network,
    disagreeing_golden,
    hungry_network,
    make_bundle,
    signed,
    truncated_network,
)
from machine import Machine
from pushing import Workstation
from service import CAMERA, COMMAND_TIMEOUT_S, HOME, NO_CAMERA, Service
from serving import Gap, Prober

log = logging.getLogger(__name__)

GOOD = "ham-student-9.0.0"
#: Of a restart: Python and a camera that start on an emulated processor; 20 to 30 s on idle cores.
RESTART_MAX_S = 150.0
ALLOWED = "/etc/skin-edge/allowed_signers"
#: More than MemoryMax= of the service, 768 MiB, and less than the machine has: it passes at a shell only.
HUNGRY_BYTES = 1_000_000_000


@dataclass
class Bench:
    """The machine with its service, its prober and a workstation."""

    service: Service
    station: Workstation
    prober: Prober
    bundles: Path

    def bundle(self, version: str, **changes: Any) -> Path:
        return make_bundle(self.bundles, version, **changes)

    def current(self) -> str:
        """Return the model in use, by the store and by the page."""
        told = self.service.machine.ssh(
            f"readlink {HOME}/models/current; "
            'python3 -c "import urllib.request as r; '
            "print(r.urlopen('http://127.0.0.1:8080/healthz', timeout=30).read().decode())\"",
            timeout_s=COMMAND_TIMEOUT_S,
        ).stdout.splitlines()
        model = json.loads(told[1])["model"]
        assert told[0] == f"{model['name']}-{model['version']}", told
        return told[0]

    def refused(self, bundle: Path, code: str, *words: str) -> str:
        """Push a bad bundle; return why the machine did not take it. The service must not have noticed."""
        before, pid = self.prober.now(), self.service.pid
        said = self.station.push(bundle, *words)
        gaps = self.prober.gaps(before)
        assert (said["exit"], said["status"]) == (6, "failed"), said
        assert said["error"]["code"] == code, said
        self.unharmed(pid, gaps)
        log.info("refused in %.0f s: %s", said["seconds"], said["message"] or said["error"]["message"])
        return str(said["error"]["message"])

    def unharmed(self, pid: int, gaps: list[Gap]) -> None:
        """The good model is in use, by the same process, which answered throughout."""
        assert gaps == [], gaps
        assert self.service.pid == pid
        assert self.current() == GOOD


@pytest.fixture(scope="module")
def bench(_installed: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The service on the machine's camera, asked every second, with a better model than the shipped one."""
    if not _installed.running:
        _installed.boot()
    service, folder = Service(_installed), tmp_path_factory.mktemp("bench")
    _installed.ssh(CAMERA)
    service.configure("v4l2:0")
    service.install()
    service.wait_healthy()
    made = Bench(service, Workstation(folder, _installed), Prober(_installed, folder), folder / "bundles")
    made.prober.start()
    yield made
    made.prober.stop()
    service.remove()
    _installed.ssh(NO_CAMERA)


@pytest.fixture(scope="module")
def serving(bench: Bench) -> Bench:
    """With the better model in use."""
    before = bench.prober.now()
    said = bench.station.push(bench.bundle("9.0.0"))
    assert (said["exit"], said["status"], said["after"]) == (0, "done", GOOD), said
    assert bench.current() == GOOD
    (gap,) = bench.prober.gaps(before)
    log.info("a better model: pushed in %.0f s, not served for %.1f s: %s", said["seconds"], gap.seconds, gap)
    assert gap.restarts == 1, gap
    assert gap.seconds < RESTART_MAX_S, gap
    return bench


def test_a_better_model_is_in_use_and_captures(serving: Bench) -> None:
    (answer,) = serving.service.capture()
    assert answer["http"] == 200, answer
    assert serving.current() == GOOD


def test_a_corrupt_bundle_is_refused_here_and_there(serving: Bench, tmp_path: Path) -> None:
    before, pid = serving.prober.now(), serving.service.pid
    corrupt = altered(serving.bundle("9.0.1"), tmp_path / "corrupt.skinmodel")
    said = serving.station.push(corrupt)
    assert said["exit"] == 4, said
    assert "Bad CRC-32 for file 'model.tflite'" in said["stderr"], said
    serving.service.machine.copy_in(corrupt, "/root/corrupt.skinmodel")
    done = serving.service.machine.ssh(
        "skin-edge model install /root/corrupt.skinmodel --activate --json",
        check=False,
        timeout_s=COMMAND_TIMEOUT_S,
    )
    assert done.returncode == 4, done
    log.info("corrupt: %s / %s", said["stderr"].strip(), json.loads(done.stdout)["error"]["message"])
    serving.unharmed(pid, serving.prober.gaps(before))


def test_a_bundle_whose_golden_vectors_disagree_is_refused(serving: Bench) -> None:
    why = serving.refused(serving.bundle("9.0.2", golden=disagreeing_golden()), "bundle")
    assert "the logit differs by 1" in why


def test_a_network_that_is_cut_off_is_refused(serving: Bench) -> None:
    why = serving.refused(serving.bundle("9.0.3", model=truncated_network()), "bundle")
    assert "refuses the model" in why


def test_a_network_that_crashes_the_runtime_at_load_is_refused(serving: Bench) -> None:
    why = serving.refused(serving.bundle("9.0.4", model=crashing_network()), "bundle")
    assert "crashed the runtime (signal 11" in why


def test_where_signers_are_named_only_what_they_signed_is_installed(serving: Bench, tmp_path: Path) -> None:
    for who in ("clinic", "stranger"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", tmp_path / who], check=True
        )
    public = (tmp_path / "clinic.pub").read_text(encoding="utf-8")
    serving.service.machine.ssh(
        f"cat > {ALLOWED} && sync", stdin=f'models@clinic.example namespaces="skin-edge" {public}'
    )
    try:
        assert "not signed" in serving.refused(serving.bundle("9.0.5"), "signature")
        serving.refused(signed(serving.bundle("9.0.6"), tmp_path / "stranger"), "signature")
        before = serving.prober.now()
        said = serving.station.push(signed(serving.bundle("9.0.7"), tmp_path / "clinic"))
        assert (said["exit"], said["status"]) == (0, "done"), said
        assert said["device"]["signed_by"] == "models@clinic.example", said
        (gap,) = serving.prober.gaps(before)
        assert gap.restarts == 1, gap
        assert gap.seconds < RESTART_MAX_S, gap
        log.info("signed: in use after %.0f s, not served for %.1f s", said["seconds"], gap.seconds)
        assert serving.current() == "ham-student-9.0.7"
    finally:
        serving.service.machine.ssh(f"rm -f {ALLOWED}; sync")
        serving.service.machine.ssh("skin-edge model rollback", timeout_s=COMMAND_TIMEOUT_S)
    assert serving.current() == GOOD


def test_a_model_that_only_the_service_cannot_bear_is_taken_back(serving: Bench) -> None:
    model, golden = hungry_network(HUNGRY_BYTES)
    before = serving.prober.now()
    said = serving.station.push(serving.bundle("9.0.8", model=model, golden=golden))
    assert (said["exit"], said["status"]) == (6, "failed"), said
    assert said["error"]["code"] == "model-unhealthy", said
    assert f"{GOOD} is in use again" in said["error"]["message"], said
    serving.service.wait_healthy()
    assert serving.current() == GOOD
    gaps = serving.prober.gaps(before)
    log.info("taken back after %.0f s: %s; not served: %s", said["seconds"], said["error"]["message"], gaps)
    answers = [one for one in serving.prober.answers() if one["asked"] >= before and one["http"] == 200]
    assert {one["model"] for one in answers} == {"9.0.0"}, "a model that is not in use had answered"
    assert serving.service.capture()[0]["http"] == 200


def test_in_the_end_only_good_models_are_installed(serving: Bench) -> None:
    told = serving.service.machine.ssh("skin-edge model list --json", timeout_s=COMMAND_TIMEOUT_S).stdout
    installed = [json.loads(line) for line in told.splitlines()]
    assert all(one["ok"] for one in installed), installed
    assert [one["identity"] for one in installed if one["current"]] == [GOOD]
    refused = {f"ham-student-9.0.{number}" for number in range(1, 7)}
    assert not refused & {one["identity"] for one in installed}, installed
