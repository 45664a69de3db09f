"""What each kind of device runs: its Python, its platform, and what its own packages ask of ours."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from typing import Final

from skin_edge.errors import UsageError


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of device.

    Attributes:
        name: as on the command line.
        what: for people.
        python: its system Python, MAJOR.MINOR.
        machine: as `uname -m` says it.
        glibc: minor version of its glibc 2: wheels for an older one fit, too.
        extras: of skin-edge that a kiosk needs there.
        constraints: what the packages of its system ask for, as pip's constraints.
        system_site_packages: whether the system's own packages are to be seen, picamera2 among them.
    """

    name: str
    what: str
    python: str
    machine: str
    glibc: int
    extras: tuple[str, ...] = ("kiosk", "encryption")
    constraints: tuple[str, ...] = ()
    system_site_packages: bool = True

    @property
    def uv_platform(self) -> str:
        """The platform as uv calls it, which knows glibc up to 2.40."""
        return f"{self.machine}-manylinux_2_{min(self.glibc, 40)}"

    @property
    def pip_platforms(self) -> tuple[str, ...]:
        """The platforms as pip calls them: every glibc whose wheels run here."""
        old = {17: "manylinux2014", 12: "manylinux2010"}
        tags = []
        for minor in range(self.glibc, 11, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in old:
                tags.append(f"{old[minor]}_{self.machine}")
        return tuple(tags)


#: picamera2's simplejpeg on Bookworm is built against NumPy 1.24: it does not load beside NumPy 2, and the
#: OpenCV wheels that still take NumPy 1 end with 4.11.
_NUMPY_1: Final = ("numpy<2", "opencv-python-headless<4.12")

TARGETS: Final = {
    target.name: target
    for target in (
        Target("pi-bookworm", "Raspberry Pi OS 12, 64 bit", "3.11", "aarch64", 36, constraints=_NUMPY_1),
        Target("pi-trixie", "Raspberry Pi OS 13, 64 bit", "3.13", "aarch64", 41),
        Target("jetpack6", "Jetson, JetPack 6 (Ubuntu 22.04)", "3.10", "aarch64", 35, constraints=_NUMPY_1),
    )
}

#: The machine that gathers: for another computer like it, and for tests.
THIS: Final = "this"


def find_target(name: str) -> Target:
    """Return the target of that name.

    Raises:
        UsageError: there is none.
    """
    if name == THIS:
        return this_machine()
    try:
        return TARGETS[name]
    except KeyError:
        raise UsageError(
            f"--target {name}: no such target; there are {', '.join((*TARGETS, THIS))}", code="target"
        ) from None


def this_machine() -> Target:
    """Return a target for machines like this one.

    Raises:
        UsageError: its C library is not glibc 2.
    """
    library, version = platform.libc_ver()
    if library != "glibc" or not version.startswith("2."):
        raise UsageError(f"--target this: wheels are made for glibc 2, not for {library or 'this library'}")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Target(
        THIS,
        "a machine like this one",
        python,
        platform.machine(),
        int(version.split(".")[1]),
        system_site_packages=False,
    )
