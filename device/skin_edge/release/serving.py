"""The service of a device as a switch of releases sees it: its units, its start, one classified frame."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from skin_edge.durable import fsync_directory
from skin_edge.errors import HealthError
from skin_edge.faults import storage_faults
from skin_edge.release import programs
from skin_edge.release.store import ReleaseStore, put_link

COMMAND: Final = Path("/usr/local/bin/skin-edge")
UNIT: Final = "skin-edge.service"
HEALTH_TIMEOUT_S: Final = 300


class Serving(Protocol):
    """What follows the release in use."""

    def start(self) -> None:
        """Have the release in use serve, from now on.

        Raises:
            HealthError: no frame was classified with it.
        """

    def prepare(self) -> None:
        """Have the release in use serve as soon as the system starts its service, which waits for this.

        Raises:
            HealthError: its units cannot be written.
        """

    def remove(self, trial: str) -> None:
        """Leave nothing of a release that was the first on this device.

        Raises:
            HealthError: its units cannot be removed.
        """


class NoService:
    """Nothing follows: systemd and the command are left alone."""

    def start(self) -> None:
        """Do nothing."""

    def prepare(self) -> None:
        """Do nothing."""

    def remove(self, trial: str) -> None:
        """Do nothing."""


class Systemd:
    """skin-edge.service and its display, and `skin-edge` as a command of the device.

    Units are written by the release that they start: only it knows what they are.
    """

    def __init__(self, store: ReleaseStore, say: Callable[[str], None], command: Path = COMMAND) -> None:
        self._store = store
        self._say = say
        self._command = command

    def start(self) -> None:
        """See `Serving`."""
        self._put_on_path()
        program = str(self._store.program())
        self._say("starting its service")
        try:
            self._units("--restart")
            self._say("waiting for a classified frame")
            programs.run(
                [program, "service", "wait", "--timeout", str(HEALTH_TIMEOUT_S)],
                "waiting for a classified frame",
            )
        except HealthError as error:
            for line in programs.last_words(UNIT):
                self._say(f"{UNIT}: {line}")
            hint = f"journalctl -u {UNIT} -n 50"
            more = "" if hint in str(error) else f"; {hint} may say why"
            raise HealthError(f"{error}{more}", code=error.code) from None

    def prepare(self) -> None:
        """See `Serving`."""
        self._put_on_path()
        self._units("--no-start")

    def remove(self, trial: str) -> None:
        """See `Serving`."""
        self._say("removing its service")
        programs.run([str(self._store.program(trial)), "service", "uninstall"], "removing the service")
        with storage_faults(self._command, "remove it"):
            if self._is_ours():
                self._command.unlink()
                fsync_directory(self._command.parent)

    def _units(self, how: str) -> None:
        program = str(self._store.program())
        programs.run([program, "service", "install", "--executable", program, how], "installing the service")

    def _put_on_path(self) -> None:
        """Make `skin-edge` a command of the device, unless something else has that name already."""
        command = self._command
        if os.path.lexists(command) and not self._is_ours():
            self._say(f"{command} is somebody else's and stays: this skin-edge is {self._store.program()}")
            return
        with storage_faults(command, "make it a link"):
            command.parent.mkdir(parents=True, exist_ok=True)
            put_link(command, self._store.program(), command.with_name(f".{command.name}.part"))
            fsync_directory(command.parent)

    def _is_ours(self) -> bool:
        if not self._command.is_symlink():
            return False
        target = self._command.readlink()
        return target.is_relative_to(self._store.prefix)
