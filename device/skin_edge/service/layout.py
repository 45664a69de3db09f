"""The files that make skin-edge a service, each with its place in the system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from skin_edge.errors import HealthError

UNIT: Final = "skin-edge.service"
DISPLAY_UNIT: Final = "skin-edge-display.service"
RECOVER_UNIT: Final = "skin-edge-recover.service"
USER: Final = "skin-edge"
DISPLAY_USER: Final = "skin-edge-display"

#: All below the root of the system.
UNIT_DIR: Final = Path("etc/systemd/system")
WANTS_DIR: Final = UNIT_DIR / "multi-user.target.wants"
SYSUSERS_DIR: Final = Path("etc/sysusers.d")
TMPFILES: Final = Path("etc/tmpfiles.d/skin-edge.conf")
RULES: Final = Path("etc/udev/rules.d/70-skin-edge.rules")
STATE_DIR: Final = Path("var/lib/skin-edge")
LOGS_DIR: Final = Path("var/log/skin-edge")

Part = Literal["service", "display", "release"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One file.

    Attributes:
        source: its name in the folder of `source_dir`.
        target: where it goes, below the root of the system.
        part: the service itself, the page on the device's own display, or what goes with releases.
        since: the version of systemd that understands it; 0 for all that are supported.
    """

    source: str
    target: Path
    part: Part
    since: int = 0


PIECES: Final = (
    Piece("skin-edge.sysusers", SYSUSERS_DIR / "skin-edge.conf", "service"),
    Piece("skin-edge.tmpfiles", TMPFILES, "service"),
    Piece("skin-edge.rules", RULES, "service"),
    # Before the unit that wants it: a cut in between must not leave a service that nothing takes back.
    Piece(RECOVER_UNIT, UNIT_DIR / RECOVER_UNIT, "release"),
    Piece("skin-edge.service", UNIT_DIR / UNIT, "service"),
    Piece("backoff.conf", UNIT_DIR / f"{UNIT}.d" / "50-backoff.conf", "service", since=254),
    Piece("skin-edge-display.sysusers", SYSUSERS_DIR / "skin-edge-display.conf", "display"),
    Piece("skin-edge-display.pam", Path("etc/pam.d/skin-edge-display"), "display"),
    Piece("skin-edge-display.service", UNIT_DIR / DISPLAY_UNIT, "display"),
    Piece("backoff.conf", UNIT_DIR / f"{DISPLAY_UNIT}.d" / "50-backoff.conf", "display", since=254),
)

_PLACEHOLDER: Final = re.compile(r"@([A-Z_]+)@")


def source_dir() -> Path:
    """Return the folder with the files: the package's, or in a checkout that at the top of the tree.

    Raises:
        HealthError: there is neither; the installation is not whole.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "units", here.parents[2] / "systemd"):
        if (folder / UNIT).is_file():
            return folder
    raise HealthError(f"{here / 'units'}: the unit files are missing; install skin-edge again", code="units")


def render(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with each ``@NAME@`` replaced.

    Raises:
        KeyError: no value has that name.
    """
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)
