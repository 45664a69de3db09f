"""Carries out a plan: each file is whole or as it was, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from skin_edge.durable import PUBLIC_MODE, fsync_directory, replacing
from skin_edge.errors import HealthError
from skin_edge.service.layout import WANTS_DIR
from skin_edge.service.plan import Change, Plan

_DIRECTORY_MODE: Final = 0o755


def apply(plan: Plan) -> None:
    """Make the files as the plan has them.

    Raises:
        HealthError: one cannot be written or removed; those before it are as they are to be. Again is safe.
    """
    for change in plan.changed:
        try:
            _apply_one(change, plan.root)
        except OSError as error:
            raise HealthError(f"{change.path}: {error.strerror}", code="install") from error


def _apply_one(change: Change, root: Path) -> None:
    path = change.path
    if change.after is None:
        path.unlink(missing_ok=True)
        fsync_directory(path.parent)
        _remove_if_empty(path.parent)
        return
    _make_parents(path.parent)
    if path.parent == root / WANTS_DIR:
        _link(path, change.after)
        return
    with replacing(path, PUBLIC_MODE) as stream:
        stream.write(change.after.encode("utf-8"))


def _make_parents(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_parents(folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(_DIRECTORY_MODE)  # the umask has no say: systemd and PAM read it as others
    fsync_directory(folder.parent)


def _link(path: Path, target: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.part")
    temporary.symlink_to(target)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder of drop-ins that has none left; one with settings of the owner's stays."""
    if folder.suffix == ".d" and folder.name.endswith(".service.d") and not any(folder.iterdir()):
        folder.rmdir()
        fsync_directory(folder.parent)
