"""The power is cut while `skin-edge deploy` brings a model: the old or the new one serves, again finishes."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from bundles import make_bundle
from cuts_table import Cut, note
from following import Following
from machine import Machine
from pushing import Workstation, answer
from service import CAMERA, COMMAND_TIMEOUT_S, HERE, HOME, NO_CAMERA, Service

log = logging.getLogger(__name__)

STORE = f"{HOME}/models"
UPLOADS = "/var/tmp/skin-edge-1000"
WATCHER = "/opt/watch_steps.py"
#: Steps that are waited for, and the most seconds from then to the cut: about what the step takes.
STEPS = {
    "upload": 0.4,
    "upload whole": 1.0,
    "model install": 4.0,
    "golden vectors": 8.0,
    "bundle placed": 2.0,
    "trial frame": 12.0,
    "activation.json": 0.3,
    "service restarts": 15.0,
    "confirmed": 0.5,
}
RANDOM_CUTS = 6
STEP_TIMEOUT_S = 300.0
_AS_SERVICE = f"runuser -u skin-edge -- env SKIN_EDGE_HOME={HOME} skin-edge"
_HEALTH = (
    'python3 -c "import sys, urllib.request as r; '
    "sys.stdout.write(r.urlopen('http://127.0.0.1:8080/healthz', timeout=30).read().decode())\""
)


@dataclass
class Trial:
    """The machine with its service, and the model that it runs."""

    service: Service
    station: Workstation
    chance: random.Random
    seed: int
    version: int = 0
    current: str = ""
    whole_s: float = 0.0
    cuts: int = 0

    @property
    def machine(self) -> Machine:
        return self.service.machine

    def next_bundle(self) -> Any:
        """Make a bundle that the machine has never seen."""
        self.version += 1
        return make_bundle(self.station.folder / "bundles", f"9.0.{self.version}")

    def finish(self, bundle: Any, expected: set[str]) -> tuple[str, float]:
        """Push with nothing in the way; return what the command said, and its seconds."""
        started = time.monotonic()
        said = self.station.push(bundle)
        took_s = time.monotonic() - started
        assert said["status"] in expected, said
        assert said["exit"] == 0, said
        assert said["after"] == bundle.stem, said
        self.current = bundle.stem
        return said["status"], took_s


@pytest.fixture(scope="module")
def trial(_installed: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """The service on the machine's camera, with a model that `skin-edge deploy` brought."""
    if not _installed.running:
        _installed.boot()
    service = Service(_installed)
    _installed.ssh(CAMERA)
    service.configure("v4l2:0")
    service.install()
    _installed.copy_in(HERE / "watch_steps.py", WATCHER)
    seed = random.randrange(2**32)
    log.info("seed %d", seed)
    made = Trial(
        service, Workstation(tmp_path_factory.mktemp("station"), _installed), random.Random(seed), seed
    )
    service.wait_healthy()
    _, made.whole_s = made.finish(made.next_bundle(), {"done"})
    log.info("a whole push takes %.0f s", made.whole_s)
    yield made
    if not _installed.running:
        _installed.boot()
    service.remove()
    _installed.ssh(NO_CAMERA)


@pytest.mark.parametrize("step", STEPS)
def test_cut_after_a_step_it_runs_the_old_or_the_new_model_and_again_finishes(
    trial: Trial, step: str
) -> None:
    cut_once(trial, step, trial.chance.uniform(0.0, STEPS[step]))


@pytest.mark.parametrize("_", range(RANDOM_CUTS))
def test_cut_at_a_random_moment_it_runs_the_old_or_the_new_model_and_again_finishes(
    trial: Trial, _: int
) -> None:
    cut_once(trial, "random", trial.chance.uniform(1.0, trial.whole_s))


def cut_once(trial: Trial, trigger: str, later_s: float) -> None:
    """Push, cut the power, boot, look, push again."""
    machine, old = trial.machine, trial.current
    if not machine.running:
        machine.boot()
        trial.service.wait_healthy()
    bundle = trial.next_bundle()
    new = bundle.stem
    watch = Following(machine, f"python3 {WATCHER} {STORE} {UPLOADS} {new}")
    watch.wait_for("READY", lambda: bool(watch.out), STEP_TIMEOUT_S)
    push = trial.station.start("--bundle", str(bundle))
    if trigger != "random":
        watch.wait_for(trigger, lambda: trigger in steps_of(watch), STEP_TIMEOUT_S)
    time.sleep(later_s)
    last = steps_of(watch)[-1]
    machine.cut_power()
    trial.cuts += 1
    said = answer(push)
    where = f"seed {trial.seed}, {trigger} + {later_s:.2f} s, last seen {last}"

    started = time.monotonic()
    machine.boot()
    after = look(machine, started)
    assert after["current"] in (old, new), f"{where}: {after}"
    assert after["model"] == after["current"], f"{where}: {after}"
    assert after["doctor"] == 0, f"{where}: {after}"
    assert all(one["ok"] for one in after["installed"]), f"{where}: {after}"
    assert not {"activation.json"} & set(after["store"]), f"{where}: {after}"
    if said["status"] == "done":
        assert after["current"] == new, f"{where}: it had said that it was done"
    useless = [name for name in after["store"] if name.startswith(".staging-")] + after["uploads"]
    again, again_s = trial.finish(bundle, {"done", "unchanged"})
    note(
        Cut(
            what="deploy --bundle",
            trigger=trigger,
            later_s=later_s,
            last_step=last.removeprefix("READY"),
            command_said=" ".join(filter(None, (said["status"], (said.get("error") or {}).get("code")))),
            after_reboot="new" if after["current"] == new else "old",
            doctor=after["doctor"],
            healthy_s=after["healthy_s"],
            leftovers=len(useless),
            again=again,
            again_s=again_s,
        )
    )
    check_leftovers(trial, where)


def steps_of(watch: Following) -> list[str]:
    return [line for _, line in watch.out]


def look(machine: Machine, powered_on_s: float) -> dict[str, Any]:
    """Wait until the service is healthy with nobody's help; return what the machine is then."""
    Service(machine).rows_once_healthy()
    healthy_s = time.monotonic() - powered_on_s
    told = machine.ssh(
        f"readlink {STORE}/current; echo $(ls -A {STORE}); echo $(ls -A {UPLOADS}); "
        f"{_HEALTH}; echo; {_AS_SERVICE} model list --json | tr '\\n' '\\t'; echo; "
        f"{_AS_SERVICE} doctor --json",
        timeout_s=COMMAND_TIMEOUT_S,
        check=False,
    ).stdout.splitlines()
    current, store, uploads, health, installed, doctor = told[:6]
    report, model = json.loads(doctor), json.loads(health)["model"]
    return {
        "healthy_s": healthy_s,
        "current": current,
        "store": store.split(),
        "uploads": uploads.split(),
        "model": f"{model['name']}-{model['version']}",
        "installed": [json.loads(one) for one in installed.split("\t") if one],
        "doctor": 0 if report["ok"] else 6,
        "checks": [check for check in report["checks"] if check["status"] not in ("ok", "skip")],
    }


def check_leftovers(trial: Trial, where: str) -> None:
    """Nothing in the store but what it keeps; of uploads at most one for each cut, which go after a day."""
    told = trial.machine.ssh(f"ls -A {STORE}; echo; ls -A {UPLOADS}").stdout
    store, uploads = (part.split() for part in told.split("\n\n"))
    bundles = set(store) - {"current", "previous", ".lock"}
    assert all(name.startswith("ham-student-") for name in bundles), f"{where}: {store}"
    assert len(bundles) <= 3, f"{where}: {store}"
    assert not [name for name in uploads if name.endswith(".part")], f"{where}: {uploads}"
    assert len(uploads) <= trial.cuts, f"{where}: {uploads}"
    log.info("%d whole uploads are left after %d cuts", len(uploads), trial.cuts)
