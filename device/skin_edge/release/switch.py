"""Changes which release is in use: confirmed once it serves, else the one before is in use again.

Order of a switch, each step on the disk before the next: the note, `previous`, `current`, the command, the
units, the service, and last the note away. Order of its undoing: the links, the command and the units as they
were, and last the note away; a cut in between only has it done again.
"""

from __future__ import annotations

from skin_edge.errors import HealthError, SkinEdgeError, UsageError
from skin_edge.release import programs
from skin_edge.release.build import Say
from skin_edge.release.serving import NoService, Serving
from skin_edge.release.store import CURRENT, PREVIOUS, Activation, ReleaseStore


def activate(store: ReleaseStore, identity: str, serving: Serving, say: Say) -> bool:
    """Put an installed release to use; the lock must be held.

    Returns:
        False where it was in use already.

    Raises:
        UsageError: it is not installed (``not-installed``).
        HealthError: it does not run, or its service does not get healthy; what was in use before is again.
        StorageError: the disk does not take the switch.
    """
    program = store.home(identity) / "bin" / "skin-edge"
    if store.target(CURRENT) == identity:
        return False
    programs.run([str(program), "--version"], f"{identity}: trying whether it runs")
    note = store.begin(identity, service=not isinstance(serving, NoService))
    try:
        store.link(PREVIOUS, note.current)
        store.link(CURRENT, identity)
        serving.start()
        store.confirm()
    except BaseException as error:
        _take_back(store, note, serving, say)
        if isinstance(error, SkinEdgeError):
            in_use = f"{note.current} is in use again" if note.current else "no release is in use"
            raise HealthError(f"{identity}: not put to use: {error}; {in_use}", code=error.code) from error
        raise
    return True


def rollback(store: ReleaseStore, serving: Serving, say: Say) -> str:
    """Put the release to use that was in use before, and return its identity; the lock must be held.

    Raises:
        UsageError: there is none (``no-previous``).
        HealthError, StorageError: as `activate`.
    """
    previous = store.target(PREVIOUS)
    if previous is None:
        raise UsageError("no other release has been in use here", code="no-previous")
    activate(store, previous, serving, say)
    return previous


def recover(store: ReleaseStore, serving: Serving, say: Say, *, boot: bool = False) -> str | None:
    """Undo a switch that was cut short, and delete what is not whole; the lock must be held.

    Args:
        store: of the releases.
        serving: what follows them.
        say: told what is being done.
        boot: the system is about to start the service and waits for this.

    Returns:
        The release that was on trial; None where nothing was to be undone.

    Raises:
        HealthError: the units of the release before cannot be written; the note stays.
        StorageError: the disk does not take it; the note stays.
    """
    note = store.activation()
    if note is not None:
        say(f"{note.trial} was not confirmed: going back to {note.current or 'no release'}")
        _undo(store, note, serving if note.service else NoService(), say, boot=boot)
    store.tidy(say)
    return None if note is None else note.trial


def _take_back(store: ReleaseStore, note: Activation, serving: Serving, say: Say) -> None:
    """Undo a switch after an error, which is told in any case."""
    say(f"going back to {note.current or 'no release'}")
    try:
        _undo(store, note, serving, say, boot=False)
    except SkinEdgeError as error:
        say(f"going back is not finished, and is tried again at the next start: {error}")


def _undo(store: ReleaseStore, note: Activation, serving: Serving, say: Say, *, boot: bool) -> None:
    if note.current is None:
        # While the link still leads to it: a service that is to be stopped may look something up.
        serving.remove(note.trial)
    store.link(CURRENT, note.current)
    store.link(PREVIOUS, note.previous)
    if note.current is not None:
        serving.prepare()
        if not boot:
            try:
                serving.start()
            except HealthError as error:
                say(f"the service is not healthy with {note.current} either: {error}")
    store.confirm()
