"""Says which steps of an installation of a model have begun; runs in the machine, with nothing but Python.

    watch_steps.py STORE UPLOADS IDENTITY

Prints READY, and then the name of each step as it is first seen; ends with the last one.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

PAUSE_S = 0.01


def main(store: Path, uploads: Path, identity: str) -> None:
    seen: set[str] = set()
    served_by = kiosks(processes())
    say("READY")
    while "confirmed" not in seen:
        running = processes()
        left = names(uploads)
        pending = (store / "activation.json").exists()
        begun = {
            "upload": any(name.endswith(".part") for name in left),
            "upload whole": any(name.endswith(".skinmodel") for name in left),
            "model install": any("model install --activate" in line for line in running.values()),
            "golden vectors": any("skin_edge.model.verify" in line for line in running.values()),
            "bundle placed": (store / identity).is_dir(),
            "trial frame": any("capture --source demo --once" in line for line in running.values()),
            "activation.json": pending,
            "switched": target(store / "current") == identity,
            "service restarts": pending and kiosks(running) != served_by,
            "confirmed": "activation.json" in seen and not pending,
        }
        for step, is_begun in begun.items():
            if is_begun and step not in seen:
                seen.add(step)
                say(step)
        time.sleep(PAUSE_S)


def processes() -> dict[str, str]:
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[folder.name] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue
    return found


def kiosks(running: dict[str, str]) -> set[str]:
    return {pid for pid, line in running.items() if line.rstrip().endswith("skin-edge kiosk")}


def names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are all that is wanted
    except FileNotFoundError:
        return []


def target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - the text, not where it leads
    except FileNotFoundError:
        return ""


def say(step: str) -> None:
    sys.stdout.write(step + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
