"""How the service is: its units, its health, its watchdog, in one object."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from skin_edge.sections import KioskConfig
from skin_edge.service.endpoint import Health, ask, page_url
from skin_edge.service.layout import DISPLAY_UNIT, UNIT
from skin_edge.service.unit import Verdict, judge, restarts, show
from skin_edge.strict import Strict

_UNIT_S: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


class UnitReport(Strict, frozen=True):
    """A unit.

    Attributes:
        state: of systemd, as ``active (running)``.
        enabled: whether it is started at boot, in systemd's word.
        since: when it became active; None where it is not.
        restarts: by systemd, since it was started by hand or at boot.
        watchdog_s: seconds without a completed frame after which systemd restarts it; None: no watchdog.
        last_beat: when the watchdog was last fed; None where it was not.
        says: the service itself, in one line.
    """

    name: str
    status: Verdict
    message: str
    fix: str | None
    state: str
    enabled: str
    pid: int | None
    since: str | None
    restarts: int
    watchdog_s: float | None
    last_beat: str | None
    says: str | None


class HealthReport(Strict, frozen=True):
    """What /healthz said; `http` is None where nobody answered."""

    ok: bool
    url: str
    http: int | None
    message: str
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class ServiceReport(Strict, frozen=True):
    """The service as `skin-edge service status --json` prints it; `display` is None where there is none."""

    ok: bool
    service: UnitReport
    display: UnitReport | None
    health: HealthReport


def report(kiosk: KioskConfig) -> ServiceReport:
    """Ask systemd and the service.

    Raises:
        HealthError: systemctl cannot tell.
    """
    service, display = _unit(UNIT), _unit(DISPLAY_UNIT)
    url = page_url(kiosk)
    health = ask(url) if service.status != "skip" else Health(None, "not asked: no service", {})
    shown = None if display.status == "skip" else display
    return ServiceReport(
        ok=health.ok and all(unit is None or unit.status in ("ok", "warn") for unit in (service, shown)),
        service=service,
        display=shown,
        health=HealthReport(health.ok, url, health.status, health.why, health.data),
    )


def _unit(name: str) -> UnitReport:
    told = show(name)
    judgement = judge(name, told)
    return UnitReport(
        name=name,
        status=judgement.status,
        message=judgement.message,
        fix=judgement.fix,
        state=f"{told.get('ActiveState') or 'unknown'} ({told.get('SubState') or 'unknown'})",
        enabled=told.get("UnitFileState") or "no",
        pid=int(told.get("MainPID") or 0) or None,
        since=told.get("ActiveEnterTimestamp") or None,
        restarts=restarts(told),
        watchdog_s=seconds(told.get("WatchdogUSec", "")),
        last_beat=told.get("WatchdogTimestamp") or None,
        says=told.get("StatusText") or None,
    )


def seconds(span: str) -> float | None:
    """Return a time span as systemd prints it, ``1min 30s``, in seconds; None for none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|s|min|h|d)\b", span)
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts) or None
