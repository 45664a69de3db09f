"""What is known of the system before anything in it is changed."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from skin_edge.config import SYSTEM_CONFIG, Config, load_config
from skin_edge.errors import UsageError

#: Of those who may reach pins; only where the system has them, since systemd would make what is missing.
OPTIONAL_GROUPS: Final = ("gpio",)
_CHROMIUM: Final = ("chromium", "chromium-browser")
_BIN_DIRS: Final = ("usr/bin", "bin", "usr/local/bin")
#: The service sees nothing below these (ProtectHome=).
_HOMES: Final = ("/home", "/root", "/run/user")
#: A path that needs no quoting in a unit, and has none of its specifiers.
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9._+~/-]+")


@dataclass(frozen=True, slots=True)
class Facts:
    """A system, as it is.

    Attributes:
        root: of its file system; other than ``/`` for an image.
        executable: skin-edge, as a path inside that system.
        cage, chromium, chvt: programs of the display, likewise; None where they are not installed.
        python: the system's own, which undoes a switch of releases; None where there is none.
        systemd: its version, as 252; 0 where it cannot be told.
        groups: those of `OPTIONAL_GROUPS` that exist.
        settings: of the service: those of ``/etc``, or the defaults.
    """

    root: Path
    executable: str
    cage: str | None
    chromium: str | None
    chvt: str | None
    python: str | None
    systemd: int
    groups: tuple[str, ...]
    settings: Config

    @property
    def live(self) -> bool:
        """True for the system that runs, False for an image."""
        return self.root == Path("/")

    @property
    def release_prefix(self) -> str | None:
        """Where the releases are of which `executable` is the one in use; None where it is of none."""
        prefix, found, _ = self.executable.rpartition("/current/bin/skin-edge")
        return prefix if found and (below(self.root, Path(prefix)) / "releases").is_dir() else None

    @property
    def can_display(self) -> bool:
        """Whether what the display needs is installed."""
        return None not in (self.cage, self.chromium)


def gather(root: Path, executable: Path | None) -> Facts:
    """Look at the system below `root`.

    Args:
        root: of the system.
        executable: skin-edge as the service starts it, a path inside that system; None: this one.

    Raises:
        UsageError: no executable that the service could start.
        ConfigError: the settings of the service are wrong.
    """
    if not root.is_dir():
        raise UsageError(f"--root {root}: no such folder")
    system_config = below(root, SYSTEM_CONFIG)
    return Facts(
        root=root,
        executable=_executable(root, executable),
        cage=_program(root, ("cage",)),
        chromium=_program(root, _CHROMIUM),
        chvt=_program(root, ("chvt",)),
        python=_program(root, ("python3",)),
        systemd=systemd_version(root),
        groups=_groups(root),
        settings=load_config(system_config) if os.path.lexists(system_config) else Config(),
    )


def below(root: Path, path: Path) -> Path:
    """Return an absolute `path` of the system as one of this machine."""
    return root / path.relative_to("/")


def systemd_version(root: Path) -> int:
    """Return the version of the systemd installed below `root` by its library's name; 0: none was found."""
    found = (root / "usr/lib").glob("**/systemd/libsystemd-shared-*.so")
    numbers = (re.match(r"libsystemd-shared-(\d+)", path.name) for path in found)
    return max((int(number[1]) for number in numbers if number), default=0)


def _executable(root: Path, wanted: Path | None) -> str:
    found = wanted or this_executable()
    if found is None:
        raise UsageError(
            "cannot tell which skin-edge the service is to start; name it: --executable /path/to/skin-edge"
        )
    if not _PLAIN_PATH.fullmatch(str(found)):
        raise UsageError(f"--executable {found}: an absolute path is needed, of letters, digits and ._+~-")
    inside = below(root, found)
    if not os.path.lexists(inside):
        hint = "" if root == Path("/") else "; name the one inside the image with --executable"
        raise UsageError(f"{inside}: there is no skin-edge{hint}")
    if root == Path("/"):
        _check_reach(found)
    return str(found)


def this_executable() -> Path | None:
    """Return the console script of the environment that runs this; None where it has none.

    Of a release that is in use, by the link that leads to whichever is in use: the next one is to serve too.
    """
    beside = Path(sys.executable).with_name("skin-edge").absolute()
    if beside.is_file():
        in_use = beside.parents[3] / "current" / "bin" / "skin-edge" if len(beside.parents) > 3 else beside
        return in_use if in_use.exists() and in_use.samefile(beside) else beside
    found = shutil.which("skin-edge")
    return Path(found).absolute() if found else None


def _check_reach(executable: Path) -> None:
    """Raise UsageError where the service's user, who owns nothing there, cannot get at the program."""
    for path in {executable, executable.resolve()}:
        if any(path.is_relative_to(home) for home in _HOMES):
            raise UsageError(
                f"{path} is in a home folder, which the service does not see; install it elsewhere, as "
                "with: python3 -m venv /opt/skin-edge && /opt/skin-edge/bin/pip install 'skin-edge[kiosk]'",
                code="unreachable",
            )
        for folder in path.parents:
            if not folder.stat().st_mode & stat.S_IXOTH:
                raise UsageError(
                    f"{path}: the service's user may not enter {folder}; chmod o+x {folder}, or install "
                    "skin-edge elsewhere",
                    code="unreachable",
                )


def _program(root: Path, names: tuple[str, ...]) -> str | None:
    for name in names:
        for folder in _BIN_DIRS:
            if os.path.lexists(root / folder / name):
                return f"/{folder}/{name}"
    return None


def _groups(root: Path) -> tuple[str, ...]:
    try:
        lines = (root / "etc/group").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    there = {line.partition(":")[0] for line in lines}
    return tuple(name for name in OPTIONAL_GROUPS if name in there)
