"""Files in the state directory that no row knows: orphaned pictures, and what interrupted writes left."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skin_edge.durable import fsync_directory, make_directory
from skin_edge.faults import storage_faults
from skin_edge.results.images import FOLDER
from skin_edge.results.log import ResultsLog
from skin_edge.results.removal import Removed, finish, named_pictures, pending_removals

#: A picture is on disk before its row, and a file has another name until it is whole: what is younger than
#: this may belong to a capture that runs.
GRACE_S = 30.0

#: Where `verify --repair` moves orphans.
ASIDE = "orphans"

#: The names of `skin_edge.durable.replacing`.
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.part")


@dataclass(frozen=True, slots=True)
class Strays:
    """Paths relative to the state directory.

    Attributes:
        orphans: pictures that no row names.
        temporaries: files that were being written when power went.
        unfinished: pictures whose row is gone, which a removal that was cut short left.
        aside: orphans that `verify --repair` moved to ``orphans/``.
        young: files that no row names yet, and that a capture which runs may be about to name.
    """

    orphans: tuple[str, ...] = ()
    temporaries: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    young: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """All that can be deleted."""
        return (*self.orphans, *self.temporaries, *self.unfinished, *self.aside)


def find_strays(log: ResultsLog, *, grace_s: float = GRACE_S) -> Strays:
    """Return what no row knows and nobody is writing.

    Raises:
        StorageError: the log or a directory cannot be read.
    """
    state_dir = log.path.parent
    # Files first, then rows: a picture that got its row in between is then known.
    files = {path: _age_s(state_dir / path) for path in _files(state_dir, FOLDER)}
    named = _named(log)
    unfinished = pending_removals(log)
    unknown = [path for path in files if path not in named and path not in unfinished]
    old = [path for path in unknown if files[path] >= grace_s]
    return Strays(
        orphans=tuple(path for path in old if not _is_temporary(path)),
        temporaries=tuple(path for path in old if _is_temporary(path)),
        unfinished=tuple(path for path in unfinished if path in files),
        aside=tuple(_files(state_dir, ASIDE)),
        young=tuple(path for path in unknown if files[path] < grace_s),
    )


def _files(state_dir: Path, top: str) -> list[str]:
    """Return every file below a folder, relative to the state directory, in the order of the names."""
    with storage_faults(state_dir / top, "read the kept pictures"):
        found = []
        for folder, _, names in os.walk(state_dir / top, onerror=_raise):
            found += [str((Path(folder) / name).relative_to(state_dir)) for name in names]
    return sorted(found)


def delete_strays(log: ResultsLog, strays: Strays) -> Removed:
    """Delete strays; one that a row names by now stays.

    Raises:
        StorageError: one could not be deleted.
    """
    state_dir = log.path.parent
    doomed = [path for path in (*strays.orphans, *strays.temporaries) if not _is_named(log, path)]
    doomed += strays.aside
    if doomed:
        with log.transaction("delete orphans") as connection:
            connection.executemany("INSERT OR IGNORE INTO removals VALUES (?)", [(path,) for path in doomed])
    removed = finish(log)
    with storage_faults(state_dir, "delete orphans"):
        fsync_directory(state_dir)
    return removed


def set_aside(log: ResultsLog, orphans: tuple[str, ...]) -> tuple[str, ...]:
    """Move orphans to ``orphans/`` in the state directory, private, and return where they are.

    Raises:
        StorageError: one could not be moved.
    """
    state_dir = log.path.parent
    moved = []
    with storage_faults(state_dir / ASIDE, "move orphans aside"):
        for path in orphans:
            if _is_named(log, path):
                continue
            target = state_dir / ASIDE / Path(path).relative_to(FOLDER)
            make_directory(target.parent)
            (state_dir / path).rename(target)
            fsync_directory(target.parent)
            fsync_directory((state_dir / path).parent)
            moved.append(str(target.relative_to(state_dir)))
    return tuple(moved)


def _named(log: ResultsLog) -> set[str]:
    with log.reading() as connection:
        # Only rows that name a picture: those without one are most of a log, and need not be looked through.
        rows = connection.execute(
            "SELECT record, image_path FROM results WHERE image_path IS NOT NULL OR record LIKE '%\"images/%'"
        )
        return {path for text, image_path in rows for path in named_pictures(text, image_path)}


def _is_named(log: ResultsLog, path: str) -> bool:
    stem = Path(path).name.split(".")[0]
    with log.reading() as connection:
        rows = connection.execute("SELECT record, image_path FROM results WHERE result_id = ?", (stem,))
        return any(path in named_pictures(*row) for row in rows)


def _is_temporary(path: str) -> bool:
    return _TEMPORARY.fullmatch(Path(path).name) is not None


def _age_s(path: Path) -> float:
    try:
        changed_s = path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0  # gone between two looks
    age_s = time.time() - changed_s
    return age_s if age_s >= 0 else float("inf")  # from before the clock was put right


def _raise(error: OSError) -> Iterator[None]:
    if not isinstance(error, FileNotFoundError):
        raise error
    return iter(())
