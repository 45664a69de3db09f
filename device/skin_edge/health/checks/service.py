"""The systemd service, where there is one: is it as `skin-edge service status` wants it."""

from __future__ import annotations

from typing import Final

from skin_edge.errors import HealthError
from skin_edge.health.checks.check import Context, Finding
from skin_edge.service import unit
from skin_edge.service.endpoint import ask, page_url
from skin_edge.service.layout import STATE_DIR, UNIT

#: Longer than a page that lives takes, shorter than anybody waits for the doctor.
_HEALTH_TIMEOUT_S: Final = 10.0


def check_service(context: Context) -> Finding:
    """Is the service enabled, running, healthy, and without being restarted again and again."""
    if not unit.systemd_runs(context.root):
        return Finding(status="skip", message="systemd does not run this machine")
    try:
        told = unit.show(UNIT)
    except HealthError as error:
        return Finding(status="fail", message=str(error), fix=f"systemctl status {UNIT}")
    judgement = unit.judge(UNIT, told)
    data: dict[str, object] = dict(told)
    if (foreign := _foreign_state(told, context)) is not None:
        return foreign
    if judgement.status in ("ok", "warn") and told.get("ActiveState") == "active":
        health = ask(page_url(context.settings.kiosk), _HEALTH_TIMEOUT_S)
        data["health"] = {"http": health.status, "message": health.why}
        if not health.ok:
            return Finding(
                status="fail",
                message=f"{UNIT} runs and is not healthy: {health.why}",
                fix=f"journalctl -u {UNIT} -n 50 says why",
                data=data,
            )
    return Finding(status=judgement.status, message=judgement.message, fix=judgement.fix, data=data)


def _foreign_state(told: dict[str, str], context: Context) -> Finding | None:
    """A finding where the service cannot write its own state folder: `sudo skin-edge capture` made it."""
    state, user = context.root / STATE_DIR, told.get("User") or "root"
    if told.get("LoadState") != "loaded" or user == "root" or not state.is_dir():
        return None
    try:
        owner = state.owner()
    except KeyError:
        owner = str(state.stat().st_uid)
    if owner == user:
        return None
    return Finding(
        status="fail",
        message=f"{state} belongs to {owner}, but {UNIT} runs as {user} and cannot log there",
        fix=f"sudo chown -R {user}: {state}",
        data=dict(told),
    )
