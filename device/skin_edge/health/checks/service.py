"""The systemd service, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

from skin_edge.health.checks.check import Context, Finding

UNIT: Final = "skin-edge.service"
_TIMEOUT_S: Final = 10.0
_PROPERTIES: Final = ("LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "NRestarts", "User")
#: State folder of the service, whatever that of the user is who asks.
_STATE: Final = "var/lib/skin-edge"
#: A service that was restarted so often does not run, it is being kept alive.
_MANY_RESTARTS: Final = 5


def check_service(context: Context) -> Finding:
    """Is the service enabled, running, and running without being restarted again and again."""
    systemctl = shutil.which("systemctl")
    # sd_booted(3): the folder is there where systemd is the machine's init, not merely installed
    if systemctl is None or not (context.root / "run/systemd/system").is_dir():
        return Finding(status="skip", message="systemd does not run this machine")
    done = subprocess.run(
        [systemctl, "show", UNIT, f"--property={','.join(_PROPERTIES)}"],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        return Finding(
            status="fail",
            message=f"systemctl cannot tell about {UNIT}: {done.stderr.strip()[:200]}",
            fix=f"systemctl status {UNIT}",
        )
    unit = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    return _foreign_state(unit, context) or judge(unit)


def _foreign_state(unit: dict[str, str], context: Context) -> Finding | None:
    """A finding where the service cannot write its own state folder: `sudo skin-edge capture` made it."""
    state, user = context.root / _STATE, unit.get("User") or "root"
    if unit.get("LoadState") != "loaded" or user == "root" or not state.is_dir():
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
        data=dict(unit),
    )


def judge(unit: dict[str, str]) -> Finding:
    """Return the finding for what `systemctl show` printed, by property."""
    load, active, sub = unit.get("LoadState", ""), unit.get("ActiveState", ""), unit.get("SubState", "")
    enabled, restarts = unit.get("UnitFileState", ""), int(unit.get("NRestarts") or 0)

    def finding(status: str, message: str, fix: str | None = None) -> Finding:
        return Finding(status=status, message=message, fix=fix, data=dict(unit))  # type: ignore[arg-type]

    if load == "not-found":
        return finding("skip", f"{UNIT} is not installed; skin-edge is started by hand here")
    if load != "loaded":
        return finding(
            "fail",
            f"{UNIT} cannot be started: its unit is {load}",
            f"systemctl unmask {UNIT}" if load == "masked" else f"systemctl status {UNIT} says why",
        )
    if active == "failed" or sub == "auto-restart":
        return finding(
            "fail",
            f"{UNIT} does not run ({sub or active}, {unit.get('Result', '')}), restarted {restarts} times",
            f"journalctl -u {UNIT} -n 50 says why; then systemctl restart {UNIT}",
        )
    if active not in ("active", "activating", "reloading"):
        return finding("warn", f"{UNIT} is installed and does not run", f"systemctl enable --now {UNIT}")
    if not enabled.startswith(("enabled", "static", "generated", "alias")):
        return finding(
            "warn",
            f"{UNIT} runs, and will not after the next start of the machine ({enabled})",
            f"systemctl enable {UNIT}",
        )
    if restarts >= _MANY_RESTARTS:
        return finding(
            "warn",
            f"{UNIT} runs, but was restarted {restarts} times since it was started by hand or at boot",
            f"journalctl -u {UNIT} says why",
        )
    return finding("ok", f"{UNIT} is enabled and {active}, restarted {restarts} times")
