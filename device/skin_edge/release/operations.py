"""What a person asks for, and what is told: the same by `skin-edge release` and by a release file."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from skin_edge.errors import SkinEdgeError, StorageError, UsageError
from skin_edge.faults import storage_faults
from skin_edge.release import build, programs, switch
from skin_edge.release.archive import open_release
from skin_edge.release.build import Say
from skin_edge.release.serving import NoService, Serving, Systemd
from skin_edge.release.store import CURRENT, PREVIOUS, ReleaseStore
from skin_edge.ssh_signature import system_allowed_signers

KEEP = 3
WAIT_S = 60.0
INSTALL = "install"
LIST = "list"
ACTIVATE = "activate"
ROLLBACK = "rollback"
RECOVER = "recover"
VERIFY = "verify"
ACTIONS = (INSTALL, LIST, ACTIVATE, ROLLBACK, RECOVER, VERIFY)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        action: one of `ACTIONS`.
        store: of the releases.
        say: told what is being done, a line at a time.
        file: the release file to install or verify.
        identity: of the release to put to use.
        keep: how many releases stay after an installation.
        service: whether systemd and /usr/local/bin follow.
        wait_s: seconds to wait for another installation.
        allowed_signers: whose signatures count; None: the system's file, where there is one.
        boot: the system waits for a recovery before it starts the service.
    """

    action: str
    store: ReleaseStore
    say: Say
    file: Path | None = None
    identity: str | None = None
    keep: int = KEEP
    service: bool = True
    wait_s: float = WAIT_S
    allowed_signers: Path | None = None
    boot: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it: `told`, as `--json` prints it, and why it went wrong; None where it did not."""

    told: dict[str, Any] = field(default_factory=dict)
    error: SkinEdgeError | None = None


def perform(request: Request) -> Answer:
    """Do what is asked for. What is expected to go wrong is part of the answer."""
    told: dict[str, Any] = {}
    error: SkinEdgeError | None = None
    try:
        if request.action == VERIFY:
            _verify(request, told)
        else:
            with _steady(), storage_faults(request.store.prefix, request.action):
                _change(_with_patient_ear(request), told)
    except SkinEdgeError as problem:
        error = problem
    if request.action != VERIFY:
        try:
            told |= in_use(request.store)
        except SkinEdgeError as problem:
            error = error or problem
    if error is not None:
        told["error"] = {"code": error.code, "message": str(error)}
    return Answer(told, error)


def in_use(store: ReleaseStore) -> dict[str, Any]:
    """Return what is in use, what was before, and what is installed, the oldest first.

    Raises:
        StorageError: it cannot be read.
    """
    return {
        "current": store.target(CURRENT),
        "previous": store.target(PREVIOUS),
        "releases": store.installed(),
    }


@contextmanager
def _steady() -> Iterator[None]:
    """A connection that goes away cuts nothing short; being asked to end takes back in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, _interrupt),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _with_patient_ear(request: Request) -> Request:
    """Whoever listened may have gone: that must not end what is being done."""

    def say(text: str) -> None:
        with suppress(OSError):
            request.say(text)

    return replace(request, say=say)


def _change(request: Request, told: dict[str, Any]) -> None:
    store = request.store
    if request.action == LIST:
        return
    if request.action == RECOVER:
        _recover(request, told)
        return
    _require_root(request)
    serving: Serving = Systemd(store, request.say) if request.service else NoService()
    if request.action == INSTALL:
        with _file(request) as opened, store.locked(request.wait_s):
            told["signed_by"] = opened.signed_by
            switch.recover(store, serving, request.say)
            told["installed"] = build.install(store, opened, request.say)
            told["activated"] = switch.activate(store, told["installed"], serving, request.say)
            told["removed"] = store.prune(request.keep)
        return
    with store.locked(request.wait_s):
        switch.recover(store, serving, request.say)
        if request.action == ACTIVATE:
            told["activated"] = switch.activate(store, request.identity or "", serving, request.say)
        else:
            switch.rollback(store, serving, request.say)
            told["activated"] = True


def _recover(request: Request, told: dict[str, Any]) -> None:
    """Undo what a cut left; nothing while an installation runs, whose switch is on trial."""
    told["undone"] = None
    if not request.store.releases.is_dir():
        return
    _require_root(request)
    serving: Serving = Systemd(request.store, request.say) if request.service else NoService()
    try:
        with request.store.locked():
            told["undone"] = switch.recover(request.store, serving, request.say, boot=request.boot)
    except StorageError as error:
        if error.code != "release-locked":
            raise
        request.say("an installation runs: there is nothing to recover")


def _verify(request: Request, told: dict[str, Any]) -> None:
    with _file(request) as opened:
        opened.check()
        release, misfit = opened.release, opened.release.misfit()
        told |= {
            "identity": release.identity,
            "version": release.version,
            "target": release.target,
            "python": release.python,
            "machine": release.machine,
            "files": len(release.files),
            "size_bytes": release.size_bytes,
            "signed": opened.is_signed,
            "signed_by": opened.signed_by,
            "fits": misfit is None,
            "misfit": misfit,
        }


def _file(request: Request) -> Any:
    if request.file is None:
        raise UsageError("no release file is named")
    path, allowed = request.file, request.allowed_signers
    if allowed is not None and not allowed.is_file():
        raise UsageError(f"--allowed-signers {allowed}: no such file")
    if not path.is_file():
        raise UsageError(f"{path}: no such file: name a .skinrelease file")
    return open_release(path, allowed or system_allowed_signers())


def _require_root(request: Request) -> None:
    if not request.service:
        return
    if os.geteuid() != 0:
        raise UsageError("only root may change releases: put sudo before it", code="not-root")
    if not programs.systemd_runs():
        raise UsageError(
            "systemd does not run this machine; to install files only: --no-service", code="no-systemd"
        )
