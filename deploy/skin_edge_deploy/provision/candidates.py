"""Release files that lie here, checked before any host is touched, and which of them a host gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from skin_edge.errors import UsageError
from skin_edge.release.archive import SUFFIX, open_release
from skin_edge.release.manifest import Release
from skin_edge_deploy.cargo import Cargo, cargo
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.machine import Machine
from skin_edge_deploy.wheelhouse.targets import TARGETS

_BITS: Final = 64
#: What gathers for a machine like this: the system as os-release and uname name it.
_SYSTEMS: Final = {
    ("debian", "12", "aarch64"): "pi-bookworm",
    ("raspbian", "12", "aarch64"): "pi-bookworm",
    ("debian", "13", "aarch64"): "pi-trixie",
    ("raspbian", "13", "aarch64"): "pi-trixie",
    ("ubuntu", "22.04", "aarch64"): "jetpack6",
}


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A release file, whole and as its release.json says.

    Attributes:
        release: what it says of itself.
        cargo: the file.
        is_signed: it carries a signature.
    """

    release: Release
    cargo: Cargo
    is_signed: bool

    @property
    def identity(self) -> str:
        """VERSION-TARGET-HASH."""
        return self.release.identity


def read_candidate(path: Path, allowed: Path | None) -> Candidate:
    """Return the release in a file, every byte of which was checked.

    Args:
        path: the file.
        allowed: file of allowed signers; None asks for no signature.

    Raises:
        ReleaseError: it is none, or was altered; or nobody who is allowed signed it.
        UsageError: it cannot be read.
    """
    try:
        with open_release(path, allowed) as opened:
            opened.check()
            return Candidate(opened.release, cargo(path), opened.is_signed)
    except OSError as error:
        raise UsageError(f"--release {path}: cannot be read: {error.strerror}") from None


def read_candidates(paths: Iterable[Path], allowed: Path | None) -> list[Candidate]:
    """Return the releases in files, and in folders of them.

    Raises:
        ReleaseError: one is none, or was altered; or nobody who is allowed signed it.
        UsageError: one cannot be read, or a folder has none.
    """
    found: dict[str, Candidate] = {}
    for path in paths:
        files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not files:
            raise UsageError(f"--release {path}: no *{SUFFIX} file in this folder")
        for file in files:
            candidate = read_candidate(file, allowed)
            found[candidate.cargo.sha256] = candidate
    return list(found.values())


def target_of(machine: Machine) -> str | None:
    """Return the target of `skin-edge wheelhouse` that gathers for a host; None where there is none."""
    name = _SYSTEMS.get((machine.os_id, machine.os_version, machine.machine))
    return name if name is not None and TARGETS[name].python == machine.python else None


def fits(release: Release, machine: Machine) -> bool:
    """Return whether a release runs on a host: its Python, its processor, its C library."""
    return (
        (release.python, release.machine) == (machine.python, machine.machine)
        and machine.bits == _BITS
        and machine.glibc is not None
        and release.glibc <= machine.glibc
    )


def choose(name: str, candidates: Sequence[Candidate], machine: Machine) -> Candidate:
    """Return the release that a host gets: of those that fit, one of its own target, then the newest.

    Raises:
        HostError: none fits; it says what is needed (``no-release``).
    """
    fitting = [candidate for candidate in candidates if fits(candidate.release, machine)]
    target = target_of(machine)
    if not fitting:
        system = f"Python {machine.python} on {machine.machine}, glibc 2.{machine.glibc} ({machine.os})"
        raise HostError(f"{name}: no release given fits {system}: {_how(target)}", code="no-release")
    return max(
        fitting,
        key=lambda one: (
            one.release.target == target,
            _numbers(one.release.version),
            one.cargo.path.stat().st_mtime_ns,
            one.identity,
        ),
    )


def _how(target: str | None) -> str:
    if target is not None:
        return f"skin-edge wheelhouse --target {target} --out DIR, then --release DIR"
    return "gather one on a machine like it: skin-edge wheelhouse --target this"


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split("+")[0].split(".")
    return tuple(int("".join(character for character in part if character.isdigit()) or 0) for part in parts)
