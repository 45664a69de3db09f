"""Says which steps of an installation of a release have begun; runs in the machine, beside watch_steps.py.

    watch_release.py PREFIX IDENTITY

Prints READY, and then the name of each step as it is first seen; ends with the last one.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from watch_steps import PAUSE_S, kiosks, names, processes, say, target

UPLOADS = Path("/var/tmp/skin-edge-1000")


def main(prefix: Path, identity: str) -> None:
    seen: set[str] = set()
    served_by = kiosks(processes())
    home = prefix / "releases" / identity
    say("READY")
    while "confirmed" not in seen:
        running = processes()
        lines = running.values()
        pending = (prefix / "activation.json").exists()
        begun = {
            "upload": any(name.endswith(".part") for name in names(UPLOADS)),
            "unpacking": any(name.startswith(".staging") for name in names(prefix)),
            "environment": home.is_dir(),
            "wheels": any("/pip install" in line for line in lines),
            "golden vectors": any(f"{identity}/bin/skin-edge model verify" in line for line in lines),
            "whole": (home / ".complete").exists(),
            "activation.json": pending,
            "switched": target(prefix / "current").endswith(identity),
            "units": any("service install" in line for line in lines),
            "service starts": pending and bool(kiosks(running) - served_by),
            "waiting": any("service wait" in line for line in lines),
            "confirmed": "activation.json" in seen and not pending,
        }
        for step, is_begun in begun.items():
            if is_begun and step not in seen:
                seen.add(step)
                say(step)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
