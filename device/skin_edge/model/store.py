"""The model store of a device: installed bundles side by side, and two links that say which one is in use.

    STATE/models/NAME-VERSION/      bundles, each whole from the moment its name is there
    STATE/models/current            link to the one in use; without it the package's own serves
    STATE/models/previous           link to the one before
    STATE/models/activation.json    a switch that is not confirmed yet, and how to undo it
    STATE/models/.lock              held by whoever changes any of it

Every change is one rename and a flush of the folder, so that a power cut leaves the old state or the new one.
A switch whose `activation.json` is still there when nobody holds the lock was cut short: it is undone.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import msgspec

from skin_edge.durable import PUBLIC_MODE, fsync_directory, make_directory, replacing
from skin_edge.errors import BundleError, StorageError
from skin_edge.faults import storage_faults
from skin_edge.locking import lock_within
from skin_edge.model.bundle import Bundle, open_bundle, sha256_hex
from skin_edge.model.manifest import MANIFEST_NAME
from skin_edge.model.write import write_files
from skin_edge.strict import Strict

FOLDER: Final = "models"
ACTIVATION: Final = "activation.json"
LOCK: Final = ".lock"
_STAGING: Final = ".staging-"

Link = Literal["current", "previous"]
CURRENT: Final[Link] = "current"
PREVIOUS: Final[Link] = "previous"


class Activation(Strict, frozen=True):
    """A switch under way: what was in use, and what is on trial. None is the package's own model."""

    trial: str | None
    current: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class Installed:
    """One line of the store.

    Attributes:
        identity: NAME-VERSION.
        path: its directory.
        is_current, is_previous: whether a link leads to it.
        error: why it must not be used, where its files are not whole; None where they are.
        manifest_sha256: SHA-256 (hex) of manifest.yaml, which lists all other hashes: bundles with the same
            are the same; None where it must not be used.
        model_sha256: SHA-256 (hex) of model.tflite; None as well.
    """

    identity: str
    path: Path
    is_current: bool
    is_previous: bool
    error: str | None
    manifest_sha256: str | None = None
    model_sha256: str | None = None


class ModelStore:
    """The store below a state directory, which need not exist yet."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.path = state_dir / FOLDER

    @contextmanager
    def locked(self, wait_s: float = 0.0) -> Iterator[ModelStore]:
        """Hold the store alone, first tidy up what an interrupted change left, and give the store.

        Args:
            wait_s: seconds to wait for another who holds it.

        Raises:
            StorageError: it is held for longer (``store-locked``), or cannot be written.
        """
        with storage_faults(self.path, "change the model store"):
            make_directory(self.path)
            self._like_state_dir(self.path)
            descriptor = os.open(
                self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        try:
            self._like_state_dir(self.path / LOCK)
            if not lock_within(descriptor, wait_s):
                raise StorageError(
                    f"{self.path}: another command is changing the model store; wait until it has ended",
                    code="store-locked",
                )
            self.recover()
            yield self
        finally:
            os.close(descriptor)

    def recover(self) -> str | None:
        """Undo a switch that was cut short and delete half-written bundles; the lock must be held.

        Returns:
            The identity that was on trial, or "the shipped model"; None where nothing was to be undone.

        Raises:
            StorageError: the store cannot be written.
        """
        with storage_faults(self.path, "tidy the model store"):
            for left in self.path.glob(f"{_STAGING}*"):
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        activation = self.activation()
        if activation is None:
            return None
        self.undo(activation)
        return activation.trial or "the shipped model"

    def activation(self) -> Activation | None:
        """Return the switch that is under way or was cut short.

        Raises:
            StorageError: its file cannot be read.
        """
        path = self.path / ACTIVATION
        with storage_faults(path, "read what is on trial"):
            try:
                return msgspec.json.decode(path.read_bytes(), type=Activation)
            except FileNotFoundError:
                return None
            except msgspec.DecodeError as error:
                raise StorageError(
                    f"{path}: damaged ({error}); activate a model by name and delete this file"
                ) from None

    def place(self, bundle: Bundle) -> Path:
        """Write a bundle under its identity, durable, and return its directory; the lock must be held.

        The same bundle again is left as it is.

        Raises:
            BundleError: another bundle has that identity (``bundle-conflict``).
            StorageError: the disk does not take it.
        """
        directory = self.path / bundle.manifest.identity
        if directory.exists():
            self._require_same(directory, bundle)
            return directory
        staging = self.path / f"{_STAGING}{os.urandom(6).hex()}"
        with storage_faults(self.path, f"install {bundle.manifest.identity}"):
            try:
                staging.mkdir(mode=0o755)
                write_files(staging, bundle)
                if open_bundle(staging).manifest_yaml != bundle.manifest_yaml:
                    raise BundleError(f"{MANIFEST_NAME}: does not read back as it was written")
                for path in (staging, *staging.iterdir()):
                    self._like_state_dir(path)
                fsync_directory(staging)
                staging.rename(directory)
                fsync_directory(self.path)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
        return directory

    @staticmethod
    def _require_same(directory: Path, bundle: Bundle) -> None:
        identity = bundle.manifest.identity
        try:
            there = open_bundle(directory)
        except BundleError as error:
            raise BundleError(
                f"{error}; remove {directory} and install it again", code="bundle-damaged"
            ) from None
        if there.manifest_yaml != bundle.manifest_yaml:
            raise BundleError(
                f"{identity} is installed already with other contents: give the new one another version",
                code="bundle-conflict",
            )

    def target(self, link: Link) -> str | None:
        """Return the identity that `current` or `previous` leads to; None where the link is not there.

        Raises:
            StorageError: it cannot be read, or leads out of the store.
        """
        path = self.path / link
        with storage_faults(path, "read it"):
            try:
                name = os.readlink(path)  # noqa: PTH115 - the text, not where it leads
            except FileNotFoundError:
                return None
        if "/" in name or name in (".", ".."):
            raise StorageError(f"{path}: leads to {name!r}, out of the model store; remove it")
        return name

    def directory(self, identity: str) -> Path:
        """Return the directory of an installed bundle.

        Raises:
            BundleError: none of that identity is installed (``not-installed``).
        """
        path = self.path / identity
        if "/" in identity or identity.startswith(".") or path.is_symlink() or not path.is_dir():
            names = ", ".join(sorted(each.name for each in self._directories())) or "none"
            raise BundleError(f"{identity}: not installed; installed: {names}", code="not-installed")
        return path

    def begin(self, trial: str | None) -> Activation:
        """Switch `current` to `trial`, unconfirmed: a cut from here on is undone by `recover`.

        Raises:
            StorageError: the disk does not take it; the old model is in use.
        """
        activation = Activation(trial, self.target(CURRENT), self.target(PREVIOUS))
        with storage_faults(self.path, "switch the model"):
            path = self.path / ACTIVATION
            with replacing(path, PUBLIC_MODE) as stream:
                stream.write(msgspec.json.encode(activation))
            self._like_state_dir(path)
            self._link(PREVIOUS, activation.current)
            self._link(CURRENT, trial)
        return activation

    def commit(self) -> None:
        """Confirm the switch under way.

        Raises:
            StorageError: the disk does not take it, so the switch is still on trial.
        """
        with storage_faults(self.path, "confirm the model"):
            (self.path / ACTIVATION).unlink(missing_ok=True)
            fsync_directory(self.path)

    def undo(self, activation: Activation) -> None:
        """Switch back to what was in use before the switch under way.

        Raises:
            StorageError: the disk does not take it; `recover` tries again.
        """
        with storage_faults(self.path, "switch the model back"):
            self._link(CURRENT, activation.current)
            self._link(PREVIOUS, activation.previous)
        self.commit()

    def _link(self, link: Link, identity: str | None) -> None:
        path = self.path / link
        if identity is None:
            path.unlink(missing_ok=True)
        else:
            temporary = self.path / f"{_STAGING}{os.urandom(6).hex()}"
            temporary.symlink_to(identity, target_is_directory=True)
            self._like_state_dir(temporary)
            temporary.replace(path)
        fsync_directory(self.path)

    def installed(self) -> list[Installed]:
        """Return what is installed, the oldest first, each checked against its hashes.

        Raises:
            StorageError: the store cannot be read.
        """
        current, previous = self.target(CURRENT), self.target(PREVIOUS)
        found = []
        for path in self._directories():
            listed = Installed(path.name, path, path.name == current, path.name == previous, None)
            try:
                bundle = open_bundle(path)
            except BundleError as problem:
                found.append(replace(listed, error=str(problem)))
                continue
            if bundle.manifest.identity != path.name:
                found.append(replace(listed, error=f"its manifest calls it {bundle.manifest.identity}"))
                continue
            manifest_sha256 = sha256_hex(bundle.manifest_yaml)
            found.append(replace(listed, manifest_sha256=manifest_sha256, model_sha256=bundle.model_sha256))
        return found

    def prune(self, keep: int) -> list[str]:
        """Delete all but the newest `keep` bundles, never one that is in use or was before it.

        Returns:
            The identities that are gone.

        Raises:
            StorageError: one cannot be deleted.
        """
        linked = {self.target(CURRENT), self.target(PREVIOUS)}
        spare = [path for path in self._directories() if path.name not in linked]
        room = max(0, keep - len(linked - {None}))
        gone = spare[: max(0, len(spare) - room)]
        with storage_faults(self.path, "delete old models"):
            for path in gone:
                # Renamed first: a cut leaves something that is tidied up, not half a bundle.
                doomed = path.rename(self.path / f"{_STAGING}{os.urandom(6).hex()}")
                shutil.rmtree(doomed)
            if gone:
                fsync_directory(self.path)
        return [path.name for path in gone]

    def _directories(self) -> list[Path]:
        with storage_faults(self.path, "list the models"):
            if not self.path.is_dir():
                return []
            kept = [
                path
                for path in self.path.iterdir()
                if not path.name.startswith(".") and not path.is_symlink() and path.is_dir()
            ]
            return sorted(kept, key=lambda path: (path.stat().st_mtime_ns, path.name))

    def _like_state_dir(self, path: Path) -> None:
        """Give a path to the owner of the state directory: root installs, the service's user reads."""
        if os.geteuid() == 0:
            owner = self.state_dir.stat()
            if not stat.S_ISDIR(owner.st_mode):
                return
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
