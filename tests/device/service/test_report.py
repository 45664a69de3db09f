"""What `skin-edge service status` makes of what `systemctl show` prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.errors import HealthError
from skin_edge.sections import KioskConfig
from skin_edge.service import report as reporting
from skin_edge.service.endpoint import Health
from skin_edge.service.report import report, seconds

Systemctl = Callable[[str, str], None]

#: As systemd 252 prints it.
RUNNING = """\
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
Result=success
NRestarts=2
User=skin-edge
MainPID=431
ExecMainStatus=0
StatusText=ready
ActiveEnterTimestamp=Wed 2026-11-25 09:00:03 UTC
WatchdogUSec=1min 30s
WatchdogTimestamp=Wed 2026-11-25 09:04:11 UTC
"""
ABSENT = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nNRestarts=0\nMainPID=0\nWatchdogUSec=0\n"


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    """Set what systemctl tells of the service and of the display."""
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    def tell(service: str, display: str) -> None:
        program.write_text(
            f"#!/bin/sh\ncase $2 in\nskin-edge.service) cat <<'E'\n{service}E\n;;\n"
            f"*) cat <<'E'\n{display}E\nesac\n"
        )
        program.chmod(0o755)

    return tell


@pytest.fixture
def healthz(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    def say(status: int | None) -> None:
        monkeypatch.setattr(reporting, "ask", lambda url: Health(status, "why", {"said": status}))

    return say


def test_all_is_told(systemctl: Systemctl, healthz: Callable[[int | None], None]) -> None:
    systemctl(RUNNING, ABSENT)
    healthz(200)
    told = report(KioskConfig())
    assert told.ok
    assert told.display is None
    unit = told.service
    assert (unit.state, unit.enabled, unit.pid, unit.restarts) == ("active (running)", "enabled", 431, 2)
    assert (unit.watchdog_s, unit.last_beat) == (90.0, "Wed 2026-11-25 09:04:11 UTC")
    assert (unit.says, unit.status) == ("ready", "ok")
    assert (told.health.url, told.health.http) == ("http://127.0.0.1:8080/", 200)


@pytest.mark.parametrize(
    ("service", "display", "health"),
    [
        (RUNNING, ABSENT, 503),
        (RUNNING, ABSENT, None),
        (RUNNING.replace("active\nSubState=running", "failed\nSubState=failed"), ABSENT, 200),
        (RUNNING, RUNNING.replace("active\nSubState=running", "failed\nSubState=failed"), 200),
        (ABSENT, ABSENT, 200),
    ],
)
def test_what_is_not_well(
    systemctl: Systemctl,
    healthz: Callable[[int | None], None],
    service: str,
    display: str,
    health: int | None,
) -> None:
    systemctl(service, display)
    healthz(health)
    assert not report(KioskConfig()).ok


def test_a_systemctl_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HealthError, match=r"cannot tell about skin-edge\.service"):
        report(KioskConfig())


@pytest.mark.parametrize(
    ("span", "expected"),
    [("1min 30s", 90.0), ("0", None), ("", None), ("infinity", None), ("2.500s", 2.5), ("500ms", 0.5)],
)
def test_a_time_span_of_systemd(span: str, expected: float | None) -> None:
    assert seconds(span) == expected
