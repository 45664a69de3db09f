"""The system's own programs that an installation ends with: users, folders, device rules, systemd."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from skin_edge.errors import HealthError, UsageError
from skin_edge.service.layout import (
    DISPLAY_UNIT,
    DISPLAY_USER,
    LOGS_DIR,
    PIECES,
    RULES,
    STATE_DIR,
    SYSUSERS_DIR,
    TMPFILES,
    UNIT,
    UNIT_DIR,
    USER,
)
from skin_edge.service.plan import Plan
from skin_edge.service.unit import systemd_runs

_log = logging.getLogger(__name__)

#: Starting waits for the first classified frame, at most TimeoutStartSec= of the unit.
_TIMEOUT_S: Final = 300.0

Command = tuple[str, ...]

#: What becomes of units that are the same as before: left running; started anew; nothing is started at all.
Start = Literal["changed", "always", "never"]


def require_systemd() -> None:
    """Raise UsageError where this cannot change the services of the running system: not root, no systemd."""
    if not systemd_runs():
        raise UsageError(
            "systemd does not run this machine; for an image of one: --root DIR", code="no-systemd"
        )
    if os.geteuid() != 0:
        raise UsageError(
            "only root may install services: put sudo before it, or look with --dry-run", code="not-root"
        )


def commands_to_install(plan: Plan, start: Start = "changed") -> tuple[Command, ...]:
    """Return what is run after the files of `plan` are there, in order; each may be run again.

    Args:
        plan: that was carried out.
        start: whether the service starts anew only where its unit changed, or always, as with another
            program behind the same path; or never, while the system waits for this before it starts it.
    """
    users = tuple(
        piece.target.name  # which it looks for below its root
        for piece in PIECES
        if piece.target.parent == SYSUSERS_DIR
        and any(
            change.path == plan.root / piece.target and change.after is not None for change in plan.changes
        )
    )
    if plan.root != Path("/"):
        return (("systemd-sysusers", f"--root={plan.root}", *users),)
    changed = {change.path.relative_to(plan.root) for change in plan.changed}
    commands: list[Command] = [("systemd-sysusers", *users), ("systemd-tmpfiles", "--create", f"/{TMPFILES}")]
    if RULES in changed and start != "never":
        commands += [
            ("udevadm", "control", "--reload"),
            (
                "udevadm",
                "trigger",
                "--action=change",
                "--subsystem-match=video4linux",
                "--subsystem-match=media",
            ),
        ]
    commands.append(("systemctl", "daemon-reload"))
    for unit in plan.units:
        commands.append(("systemctl", "enable", unit))
        if start == "never":
            continue
        mine = {UNIT_DIR / unit, UNIT_DIR / f"{unit}.d" / "50-backoff.conf"}
        anew = mine & changed or (start == "always" and unit == UNIT)
        verb = "restart" if anew else "start"
        # The display waits for the service: nobody waits for the display.
        commands.append(("systemctl", *(("--no-block",) if unit == DISPLAY_UNIT else ()), verb, unit))
    return tuple(commands)


def commands_before_removal(plan: Plan) -> tuple[Command, ...]:
    """Return what stops and disables the units whose files `plan` removes."""
    gone = {change.path for change in plan.changed if change.action == "remove"}
    units = [unit for unit in (DISPLAY_UNIT, UNIT) if plan.root / UNIT_DIR / unit in gone]
    if plan.root != Path("/") or not units:
        return ()
    return (("systemctl", "disable", "--now", *units),)


def commands_after_removal(plan: Plan) -> tuple[Command, ...]:
    """Return what makes the system forget the files that `plan` removed."""
    if plan.root != Path("/") or not plan.changed:
        return ()
    return (("udevadm", "control", "--reload"), ("systemctl", "daemon-reload"))


def commands_to_remove_users(root: Path) -> tuple[Command, ...]:
    """Return what removes the users that are there; of an image, none: its users belong to no machine yet."""
    if root != Path("/"):
        return ()
    known = {line.partition(":")[0] for line in (root / "etc/passwd").read_text().splitlines()}
    return tuple(("userdel", name) for name in (USER, DISPLAY_USER) if name in known)


def run(commands: Sequence[Command]) -> None:
    """Run each command, and see to it that what they wrote is on the disk.

    Raises:
        HealthError: one failed, or is not there; those after it were not run.
    """
    for command in commands:
        if command[0] == "udevadm" and shutil.which("udevadm") is None:
            continue  # a machine without udev has no rules to load
        _log.info("%s", " ".join(command))
        _run_one(command)
    os.sync()  # these programs do not flush, and a unit or a user that a power cut emptied is not there


def _run_one(command: Command) -> None:
    told = " ".join(command)
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise HealthError(f"{command[0]} is not installed here; install systemd", code="no-program") from None
    except subprocess.TimeoutExpired:
        raise HealthError(f"{told}: not done after {_TIMEOUT_S:g} s", code="systemctl") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise HealthError(
            f"{told}: {said[0] if said else f'ended with {done.returncode}'}; "
            f"journalctl -u {UNIT} -n 50 may say why",
            code="systemctl",
        )


def state_folders(root: Path) -> tuple[Path, ...]:
    """Return the folders with results, models and logs that are there: what `uninstall` keeps."""
    return tuple(root / path for path in (STATE_DIR, LOGS_DIR) if (root / path).is_dir())


def remove_state(root: Path) -> None:
    """Delete results, models and logs for good.

    Raises:
        HealthError: something of it cannot be deleted.
    """
    for folder in state_folders(root):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise HealthError(f"{folder}: {error.strerror}", code="purge") from error
