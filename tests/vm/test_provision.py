"""From a bare machine to a healthy kiosk without internet, to a better release, back from a broken one."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from bare import PREFIX, BareMachine
from gathered import Releases, gather, identity
from machine import Machine

log = logging.getLogger(__name__)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Three release files of this tree."""
    return gather(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareMachine]:
    """A bare machine of its own."""
    with Machine(tmp_path_factory.mktemp("bare")) as machine:
        yield BareMachine(machine, tmp_path_factory.mktemp("station"))


def test_bare_to_a_healthy_kiosk_without_internet(bare: BareMachine, releases: Releases) -> None:
    assert bare.machine.ssh("ip route show default").stdout == ""
    said = bare.provision(releases.first)
    assert (said["exit"], said["status"]) == (0, "done"), said
    assert said["release"]["after"] == identity(releases.first), said
    log.info("from bare to a classified frame in %.0f s", said["seconds"])
    state = bare.look()
    assert (state["current"], state["doctor"]) == (identity(releases.first), 0), state
    (answer,) = bare.service.capture()
    assert answer["http"] == 200, answer
    assert bare.service.state()["camera"]["state"] == "ok"


def test_the_service_is_its_own_user_and_may_change_nothing_of_the_release(bare: BareMachine) -> None:
    told = bare.machine.ssh(
        f"stat -c '%U %a %n' {PREFIX} {PREFIX}/releases {PREFIX}/releases/* /var/lib/skin-edge; "
        f"find {PREFIX} ! -user root -o -perm -o+w ! -type l | head; "
        "systemctl show skin-edge.service --property=User --value"
    ).stdout.splitlines()
    assert [line.split()[0] for line in told[:4]] == ["root", "root", "root", "skin-edge"], told
    assert told[3].split()[1] == "700", told
    assert told[4:] == ["skin-edge"], told
    executable = bare.machine.ssh(f"tr '\\0' ' ' < /proc/{bare.service.pid}/cmdline").stdout
    assert executable.startswith(f"{PREFIX}/"), executable


def test_a_better_release_keeps_results_and_settings(bare: BareMachine, releases: Releases) -> None:
    before, settings = bare.service.logged(), bare.machine.ssh("cat /etc/skin-edge/config.yaml").stdout
    said = bare.provision(releases.second)
    assert (said["exit"], said["status"]) == (0, "done"), said
    assert said["release"]["before"] == identity(releases.first), said
    assert said["release"]["after"] == identity(releases.second), said
    log.info("upgraded in %.0f s", said["seconds"])
    state = bare.look()
    assert (state["version"], state["doctor"]) == ("90.0.0", 0), state
    assert before
    assert before <= bare.service.logged()
    assert bare.machine.ssh("cat /etc/skin-edge/config.yaml").stdout == settings


def test_a_release_whose_service_does_not_serve_is_taken_back_with_the_reason(
    bare: BareMachine, releases: Releases
) -> None:
    said = bare.provision(releases.broken)
    assert (said["exit"], said["status"]) == (6, "failed"), said
    assert "is in use again" in said["error"]["message"], said
    log.info("taken back after %.0f s: %s", said["seconds"], said["error"]["message"])
    state = bare.look()
    assert (state["version"], state["doctor"]) == ("90.0.0", 0), state


def test_rollback_is_the_release_before(bare: BareMachine, releases: Releases) -> None:
    said = bare.run("sudo -n skin-edge release rollback --json")
    assert (said["exit"], said["current"]) == (0, identity(releases.first)), said
    log.info("rolled back in %.0f s", said["seconds"])
    state = bare.look()
    assert (state["current"], state["doctor"]) == (identity(releases.first), 0), state
