"""The service by what `systemctl show` prints; the properties are those of systemd's own documentation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.health.checks import service as checking
from skin_edge.health.checks.check import Context
from skin_edge.health.checks.service import check_service
from skin_edge.service.endpoint import Health
from skin_edge.service.unit import judge

MakeContext = Callable[..., Context]

RUNNING = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "Result": "success",
    "NRestarts": "0",
}


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({}, "ok", "enabled and active"),
        ({"LoadState": "not-found"}, "skip", "not installed"),
        ({"ActiveState": "inactive", "SubState": "dead"}, "warn", "does not run"),
        ({"UnitFileState": "disabled"}, "warn", "will not after the next start"),
        ({"NRestarts": "12"}, "warn", "restarted 12 times"),
        ({"ActiveState": "failed", "SubState": "failed", "Result": "watchdog"}, "fail", "watchdog"),
        ({"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "3"}, "fail", "auto-restart"),
        ({"LoadState": "masked", "UnitFileState": "masked"}, "fail", "masked"),
        ({"LoadState": "bad-setting"}, "fail", "bad-setting"),
    ],
)
def test_each_state_of_a_unit(changes: dict[str, str], status: str, word: str) -> None:
    finding = judge("skin-edge.service", RUNNING | changes)
    assert (finding.status, word in finding.message) == (status, True), finding
    assert (finding.fix is not None) == (status in ("warn", "fail"))


@pytest.fixture(autouse=True)
def healthz(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Set what /healthz says; it is well unless told otherwise."""

    def say(status: int | None) -> None:
        monkeypatch.setattr(checking, "ask", lambda url, timeout_s: Health(status, "no frame", {"a": 1}))

    say(200)
    return say


def systemctl(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (folder / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_what_systemctl_prints_is_read(
    make_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = "\n".join(f"{k}={v}" for k, v in RUNNING.items())
    systemctl(
        tmp_path, f"[ \"$1 $2\" = 'show skin-edge.service' ] || exit 9\ncat <<'E'\n{printed}\nE", monkeypatch
    )
    assert check_service(make_context(root=tmp_path)).status == "ok"


def test_a_state_folder_that_the_service_may_not_write_fails(
    make_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "var/lib/skin-edge"
    state.mkdir(parents=True)
    printed = "\n".join(f"{k}={v}" for k, v in RUNNING.items())
    systemctl(tmp_path, f"echo 'User=skin-edge'; cat <<'E'\n{printed}\nE", monkeypatch)
    finding = check_service(make_context(root=tmp_path))
    assert (finding.status, finding.fix) == ("fail", f"sudo chown -R skin-edge: {state}")
    assert f"belongs to {state.owner()}" in finding.message
    (tmp_path / "bin/systemctl").write_text(
        f"#!/bin/sh\necho 'User={state.owner()}'; cat <<'E'\n{printed}\nE\n"
    )
    assert check_service(make_context(root=tmp_path)).status == "ok"


@pytest.mark.parametrize("status", [503, None])
def test_a_service_that_runs_and_is_not_healthy_fails_as_in_its_own_status(
    make_context: MakeContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    healthz: Callable[[int | None], None],
    status: int | None,
) -> None:
    printed = "\n".join(f"{k}={v}" for k, v in RUNNING.items())
    systemctl(tmp_path, f"cat <<'E'\n{printed}\nE", monkeypatch)
    healthz(status)
    finding = check_service(make_context(root=tmp_path))
    assert (finding.status, "runs and is not healthy: no frame" in finding.message) == ("fail", True)


def test_a_systemctl_that_fails_is_told(
    make_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl(tmp_path, "echo 'Failed to connect to bus' >&2; exit 1", monkeypatch)
    finding = check_service(make_context(root=tmp_path))
    assert (finding.status, "Failed to connect to bus" in finding.message) == ("fail", True)


def test_without_systemd_it_is_skipped(make_context: MakeContext, tmp_path: Path) -> None:
    assert check_service(make_context(root=tmp_path)).status == "skip"
