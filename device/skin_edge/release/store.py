"""Where releases lie on a device, and which one is in use.

    PREFIX/releases/ID/        a virtual environment each, whole once it holds .complete
    PREFIX/current             link to the one in use
    PREFIX/previous            link to the one before
    PREFIX/activation.json     a switch that is not confirmed yet, and how to undo it
    PREFIX/installer.pyz       what undoes it at boot, whatever the release on trial is like
    PREFIX/.staging-*/         a release file being unpacked, for root's eyes only
    PREFIX/.lock               held by whoever changes any of it

Every change is one rename and a flush of the folder, so that a power cut leaves the old state or the new one.
A switch whose `activation.json` is still there when nobody holds the lock was cut short: it is undone.
Settings, results and models are elsewhere and are not touched.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from skin_edge.durable import PUBLIC_MODE, fsync_directory, replacing
from skin_edge.errors import HealthError, StorageError, UsageError
from skin_edge.faults import storage_faults
from skin_edge.locking import lock_within
from skin_edge.release.manifest import CODE, valid_identity
from skin_edge.release.shipped import installer

PREFIX: Final = Path("/opt/skin-edge")
ACTIVATION: Final = "activation.json"
INSTALLER: Final = "installer.pyz"
COMPLETE: Final = ".complete"
_RELEASES: Final = "releases"
_LOCK: Final = ".lock"
_STAGING: Final = ".staging-"
_FOLDER_MODE: Final = 0o755

Link = Literal["current", "previous"]
CURRENT: Final[Link] = "current"
PREVIOUS: Final[Link] = "previous"


@dataclass(frozen=True, slots=True)
class Activation:
    """A switch under way.

    Attributes:
        trial: the release on trial.
        current, previous: what the links led to; None where they were not there.
        service: whether the service follows it.
    """

    trial: str
    current: str | None
    previous: str | None
    service: bool


class ReleaseStore:
    """The releases below a prefix, which need not exist yet."""

    def __init__(self, prefix: Path = PREFIX) -> None:
        self.prefix = prefix
        self.releases = prefix / _RELEASES

    @contextmanager
    def locked(self, wait_s: float = 0.0) -> Iterator[None]:
        """Hold the releases alone; what was cut short before is still to be undone.

        Args:
            wait_s: seconds to wait for another who holds them.

        Raises:
            StorageError: they are held for longer (``release-locked``), or cannot be written.
        """
        with storage_faults(self.prefix, "change the releases"):
            _make_folder(self.releases)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self.prefix / _LOCK, flags, 0o600)
        try:
            if not lock_within(descriptor, wait_s):
                raise StorageError(
                    f"{self.prefix}: another installation runs; wait until it has ended",
                    code="release-locked",
                )
            yield
        finally:
            os.close(descriptor)

    def home(self, identity: str) -> Path:
        """Return the folder of an installed release.

        Raises:
            UsageError: none of that identity is installed whole (``not-installed``).
        """
        home = self.releases / identity
        if not valid_identity(identity) or not (home / COMPLETE).exists():
            raise UsageError(
                f"{identity}: not installed; installed: {', '.join(self.installed()) or 'none'}",
                code="not-installed",
            )
        return home

    def program(self, identity: str | None = None) -> Path:
        """Return the command of a release, or of whichever one is in use."""
        home = self.prefix / CURRENT if identity is None else self.releases / identity
        return home / "bin" / "skin-edge"

    def installed(self) -> list[str]:
        """Return what is installed whole, the oldest first.

        Raises:
            StorageError: it cannot be read.
        """
        with storage_faults(self.releases, "list the releases"):
            if not self.releases.is_dir():
                return []
            marks = [(path / COMPLETE, path.name) for path in self.releases.iterdir()]
            whole = [(mark.stat().st_mtime_ns, name) for mark, name in marks if mark.exists()]
        return [name for _, name in sorted(whole)]

    def target(self, link: Link) -> str | None:
        """Return the identity that `current` or `previous` leads to; None where the link is not there."""
        path = self.prefix / link
        with storage_faults(path, "read it"):
            try:
                return Path(os.readlink(path)).name  # noqa: PTH115 - the text, not where it leads
            except FileNotFoundError:
                return None

    def tidy(self, say: Callable[[str], None]) -> None:
        """Delete what an interrupted installation left, never what is in use; the lock must be held.

        Raises:
            StorageError: something cannot be deleted.
        """
        with storage_faults(self.prefix, "tidy the releases"):
            for left in self.prefix.glob(f"{_STAGING}*"):
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            for home in self.releases.iterdir():
                if not (home / COMPLETE).exists() and home.name != self.target(CURRENT):
                    say(f"deleting {home.name}, which is not whole")
                    shutil.rmtree(home) if home.is_dir() and not home.is_symlink() else home.unlink()

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Give a new folder that only its owner may enter, and remove it afterwards."""
        folder = self.prefix / f"{_STAGING}{os.urandom(6).hex()}"
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def activation(self) -> Activation | None:
        """Return the switch that is under way or was cut short.

        Raises:
            HealthError: its note cannot be understood.
            StorageError: it cannot be read.
        """
        path = self.prefix / ACTIVATION
        with storage_faults(path, "read what is on trial"):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            told = json.loads(data)
            found = Activation(told["trial"], told["current"], told["previous"], told["service"])
            names = (found.trial, found.current, found.previous)
            if all(name is None or valid_identity(name) for name in names):
                return found
        except (ValueError, KeyError, TypeError):
            pass
        raise HealthError(
            f"{path}: damaged: delete it, then put a release to use by name: skin-edge release activate ID",
            code=CODE,
        )

    def begin(self, trial: str, *, service: bool) -> Activation:
        """Note a switch to `trial`: from here on, a cut is undone. The links are as they were.

        Raises:
            StorageError: the disk does not take it.
        """
        found = Activation(trial, self.target(CURRENT), self.target(PREVIOUS), service)
        with storage_faults(self.prefix, "switch the release"):
            self._keep_installer()
            with replacing(self.prefix / ACTIVATION, PUBLIC_MODE) as stream:
                stream.write(json.dumps(asdict(found)).encode())
        return found

    def _keep_installer(self) -> None:
        """Whoever writes the note leaves behind what can read it."""
        path, data = self.prefix / INSTALLER, installer()
        if not path.exists() or path.read_bytes() != data:
            with replacing(path, PUBLIC_MODE) as stream:
                stream.write(data)

    def confirm(self) -> None:
        """Delete the note: the links are what they are to be.

        Raises:
            StorageError: the disk does not take it, so the switch is still on trial.
        """
        with storage_faults(self.prefix, "confirm the release"):
            (self.prefix / ACTIVATION).unlink(missing_ok=True)
            fsync_directory(self.prefix)

    def link(self, link: Link, identity: str | None) -> None:
        """Have `current` or `previous` lead to a release, or be gone.

        Raises:
            StorageError: the disk does not take it.
        """
        path = self.prefix / link
        with storage_faults(path, "switch the release"):
            if identity is None:
                path.unlink(missing_ok=True)
            else:
                put_link(path, Path(_RELEASES) / identity, self.prefix / f"{_STAGING}{link}")
            fsync_directory(self.prefix)

    def prune(self, keep: int) -> list[str]:
        """Delete the oldest above `keep`, never one that is in use or was before; return which.

        Raises:
            StorageError: one cannot be deleted.
        """
        linked = {self.target(CURRENT), self.target(PREVIOUS)}
        spare = [name for name in self.installed() if name not in linked]
        gone = spare[: max(0, len(spare) + len(linked - {None}) - keep)]
        for name in gone:
            with storage_faults(self.releases / name, "delete an old release"):
                (self.releases / name / COMPLETE).unlink()  # a cut leaves what tidy() deletes
                shutil.rmtree(self.releases / name)
        return gone


def put_link(path: Path, target: Path, temporary: Path) -> None:
    """Have the link `path` lead to `target`, at once; flushing its folder is left to the caller.

    Raises:
        OSError: the disk does not take it.
    """
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)


def _make_folder(path: Path) -> None:
    """Make a folder that every user may enter: the service's user runs what is in it."""
    if path.is_dir():
        return
    _make_folder(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(_FOLDER_MODE)
    fsync_directory(path.parent)
