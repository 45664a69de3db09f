"""The power is cut while a release is installed: the old or the new one serves, and again finishes.

The same command is run and cut at one step after the other, so each run is the next try of the one
before; the last is left alone.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bare import BareMachine
from cuts_table import Cut, note
from gathered import Releases, gather, identity
from machine import Machine
from pushing import answer

log = logging.getLogger(__name__)

#: Steps that are waited for, and the most seconds from then to the cut.
FIRST = {
    "upload": 20.0,
    "unpacking": 4.0,
    "environment": 3.0,
    "wheels": 60.0,
    "golden vectors": 10.0,
    "activation.json": 0.5,
    "units": 3.0,
    "service starts": 20.0,
}
UPGRADE = {
    "upload": 20.0,
    "unpacking": 4.0,
    "wheels": 60.0,
    "golden vectors": 10.0,
    "activation.json": 0.3,
    "units": 3.0,
    "service starts": 15.0,
    "confirmed": 0.5,
}
STEP_TIMEOUT_S = 900.0


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Release files of this tree."""
    return gather(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, releases: Releases) -> Iterator[BareMachine]:
    """A bare machine of its own."""
    with Machine(tmp_path_factory.mktemp("bare")) as machine:
        yield BareMachine(machine, tmp_path_factory.mktemp("station"))


@pytest.fixture(scope="module")
def chance() -> random.Random:
    """Of the moments; its seed is logged."""
    seed = random.randrange(2**32)
    log.info("seed %d", seed)
    return random.Random(seed)


@pytest.mark.parametrize("step", FIRST)
def test_a_first_installation_leaves_nothing_or_all_of_it(
    bare: BareMachine, releases: Releases, chance: random.Random, step: str
) -> None:
    last = step == list(FIRST)[-1]
    cut_once(bare, releases.first, None, step, chance.uniform(0.0, FIRST[step]), finish=last)


@pytest.mark.parametrize("step", UPGRADE)
def test_an_upgrade_leaves_the_old_release_or_the_new_one(
    bare: BareMachine, releases: Releases, chance: random.Random, step: str
) -> None:
    if bare.look()["current"] is None:
        assert bare.provision(releases.first)["exit"] == 0
    last = step == list(UPGRADE)[-1]
    old = identity(releases.first)
    cut_once(bare, releases.second, old, step, chance.uniform(0.0, UPGRADE[step]), finish=last)


def cut_once(
    bare: BareMachine, release: Path, old: str | None, step: str, later_s: float, *, finish: bool
) -> None:
    """Install, cut the power, boot, look; where `finish` is set, install again with nothing in the way."""
    new = identity(release)
    what = "first installation" if old is None else "upgrade"
    if bare.look()["current"] == new:
        pytest.skip(f"{what}: finished by an earlier cut, which came too late")
    watch = bare.watch(release)
    running = bare.start(release)
    # A step that an earlier try finished is not seen again: then the next one counts.
    order = list(FIRST if old is None else UPGRADE)
    later = set(order[order.index(step) :])
    watch.wait_for(step, lambda: bool(later & {line for _, line in watch.out}), STEP_TIMEOUT_S)
    time.sleep(later_s)
    last_step = watch.out[-1][1]
    bare.machine.cut_power()
    cut = answer(running)
    where = f"{what}, {step} + {later_s:.2f} s, last seen {last_step}"

    started = time.monotonic()
    bare.machine.boot()
    state = bare.look()
    healthy_s = time.monotonic() - started
    assert state["current"] in (old, new), f"{where}: {state}"
    assert not state["pending"], f"{where}: {state}"
    assert state.get("doctor", 0) == 0, f"{where}: {state}"
    if cut["status"] == "done":
        assert state["current"] == new, f"{where}: it had said that it was done"
    again, again_s = "cut again", 0.0
    if finish or state["current"] == new:
        said = bare.provision(release)
        assert (said["exit"], said["release"]["after"]) == (0, new), f"{where}: {said}"
        again, again_s = said["status"], said["seconds"]
        after = bare.look()
        assert after["doctor"] == 0, f"{where}: {after}"
        assert not [name for name in after["names"] if name.startswith(".staging")], f"{where}: {after}"
    note(
        Cut(
            what=what,
            trigger=step,
            later_s=later_s,
            last_step=last_step.removeprefix("READY"),
            command_said=" ".join(filter(None, (cut["status"], (cut.get("error") or {}).get("code")))),
            after_reboot={None: "nothing", old: "old", new: "new"}[state["current"]],
            doctor=state.get("doctor"),
            healthy_s=healthy_s,
            leftovers=len([name for name in state["names"] if name.startswith(".staging")]),
            again=again,
            again_s=again_s,
        )
    )
