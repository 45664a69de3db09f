"""Other programs: of the release, of the system."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from skin_edge.errors import HealthError, one_line
from skin_edge.release.manifest import CODE

#: Making an environment and unpacking 80 MB of wheels takes minutes on an SD card.
STEP_TIMEOUT_S: Final = 1800.0
_JOURNAL_LINES: Final = 10
_JOURNAL_TIMEOUT_S: Final = 10.0
#: What would send Python, pip or skin-edge elsewhere.
_ENVIRONMENT: Final = ("PYTHON", "PIP_", "SKIN_EDGE", "VIRTUAL_ENV")


def run(command: list[str], doing: str) -> str:
    """Return what a program prints.

    Raises:
        HealthError: it failed; its last line.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_ENVIRONMENT)}
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False,
            stdin=subprocess.DEVNULL, timeout=STEP_TIMEOUT_S, env=environment, cwd="/",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HealthError(f"{doing}: {one_line(str(error))}", code=CODE) from None
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        why = one_line(said[-1]).removeprefix("skin-edge: ") if said else "not a word"
        raise HealthError(f"{doing}: status {done.returncode}: {why}", code=CODE)
    return done.stdout


def systemd_runs() -> bool:
    """Return whether systemd is the init of this machine, not merely installed (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def last_words(unit: str) -> list[str]:
    """Return the last lines that a unit wrote to the journal; none where they are not to be had."""
    command = ["journalctl", "--unit", unit, "--lines", str(_JOURNAL_LINES), "--output", "cat", "--no-pager"]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False,
            stdin=subprocess.DEVNULL, timeout=_JOURNAL_TIMEOUT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [] if done.returncode else [one_line(line) for line in done.stdout.splitlines() if line.strip()]
