"""A unit as systemd sees it, and whether that is as it must be."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from skin_edge.errors import HealthError

_TIMEOUT_S: Final = 10.0
_PROPERTIES: Final = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Result",
    "NRestarts",
    "User",
    "MainPID",
    "ExecMainStatus",
    "StatusText",
    "ActiveEnterTimestamp",
    "WatchdogUSec",
    "WatchdogTimestamp",
)
#: A service that was restarted so often does not run, it is being kept alive.
_MANY_RESTARTS: Final = 5

Verdict = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a unit is as it must be.

    Attributes:
        status: ``fail``: it does not run; ``warn``: it does not, or will not, and nothing is broken;
            ``skip``: it is not installed.
        message: why, in one line.
        fix: what a person does about it; None where there is nothing to do.
    """

    status: Verdict
    message: str
    fix: str | None = None


def systemd_runs(root: Path = Path("/")) -> bool:
    """Return whether systemd is the init of this machine, not merely installed (sd_booted(3))."""
    return shutil.which("systemctl") is not None and (root / "run/systemd/system").is_dir()


def show(unit: str) -> dict[str, str]:
    """Return what `systemctl show` prints about a unit, by property; also of one that is not installed.

    Raises:
        HealthError: systemctl cannot tell.
    """
    try:
        done = subprocess.run(
            ["systemctl", "show", unit, f"--property={','.join(_PROPERTIES)}"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
        said = done.stderr.strip()[:200] if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said is not None:
        raise HealthError(f"systemctl cannot tell about {unit}: {said}", code="systemctl")
    return dict(line.partition("=")[::2] for line in done.stdout.splitlines())


def restarts(unit: dict[str, str]) -> int:
    """Return how often systemd restarted it since it was started by hand or at boot."""
    return int(unit.get("NRestarts") or 0)


def judge(name: str, unit: dict[str, str]) -> Judgement:
    """Return whether the unit `name` is as it must be, by what `show` told."""
    load, active, sub = unit.get("LoadState", ""), unit.get("ActiveState", ""), unit.get("SubState", "")
    enabled, count = unit.get("UnitFileState", ""), restarts(unit)
    if load == "not-found":
        return Judgement("skip", f"{name} is not installed; skin-edge is started by hand here")
    if load != "loaded":
        return Judgement(
            "fail",
            f"{name} cannot be started: its unit is {load}",
            f"systemctl unmask {name}" if load == "masked" else f"systemctl status {name} says why",
        )
    if active == "failed" or sub == "auto-restart":
        return Judgement(
            "fail",
            f"{name} does not run ({sub or active}, {unit.get('Result', '')}), restarted {count} times",
            f"journalctl -u {name} -n 50 says why; then systemctl restart {name}",
        )
    if active not in ("active", "activating", "reloading"):
        return Judgement("warn", f"{name} is installed and does not run", f"systemctl enable --now {name}")
    if not enabled.startswith(("enabled", "static", "generated", "alias")):
        return Judgement(
            "warn",
            f"{name} runs, and will not after the next start of the machine ({enabled})",
            f"systemctl enable {name}",
        )
    if count >= _MANY_RESTARTS:
        return Judgement(
            "warn",
            f"{name} runs, but was restarted {count} times since it was started by hand or at boot",
            f"journalctl -u {name} says why",
        )
    return Judgement("ok", f"{name} is enabled and {active}, restarted {count} times")
