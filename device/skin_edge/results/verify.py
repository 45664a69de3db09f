"""Is the log whole, and do rows and pictures fit together: every check, and what can be put right safely."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skin_edge.durable import DIRECTORY_MODE, FILE_MODE
from skin_edge.errors import StorageError
from skin_edge.faults import storage_faults
from skin_edge.results.images import FOLDER
from skin_edge.results.log import FILE_NAME, ResultsLog
from skin_edge.results.removal import named_pictures
from skin_edge.results.rows import READ_COLUMNS, decode, from_row
from skin_edge.results.strays import ASIDE, GRACE_S, Strays, delete_strays, find_strays, set_aside

Status = Literal["ok", "warn", "fail"]

#: Of one kind of problem, so many are named one by one.
MAX_NAMED = 20

_ROWS_PER_READ = 256


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: stable, for scripts.
        status: ``fail`` where something is wrong, ``warn`` where something could not be looked at.
        message: what was found.
        fix: what to do; None where nothing is to be done.
        items: the rows or paths concerned, at most `MAX_NAMED`.
        count: how many there are in all.
    """

    name: str
    status: Status
    message: str
    fix: str | None = None
    items: tuple[str, ...] = ()
    count: int = 0


class _Rows:
    """What going through the rows once brought to light."""

    def __init__(self) -> None:
        self.count = 0
        self.damaged: list[str] = []
        self.disagreeing: list[str] = []
        self.sealed = 0
        self.pictures: dict[str, str | None] = {}  # path to SHA-256, None where the row has none
        self.missing: list[str] = []
        self.altered: list[str] = []


def verify(
    log: ResultsLog, progress: Callable[[list[str]], Iterable[str]] = iter, *, grace_s: float = GRACE_S
) -> tuple[Check, ...]:
    """Return every check; nothing is changed.

    Args:
        log: open.
        progress: goes through the pictures, of which reading each takes the time.
        grace_s: files younger than this may belong to a capture that runs, in seconds.

    Raises:
        StorageError: the log or a directory cannot be read at all.
    """
    state_dir = log.path.parent
    rows = _Rows()
    checks = [_integrity(log)]
    try:
        _read_rows(log, rows)
    except StorageError as error:
        checks.append(Check("rows", "fail", str(error), "export what can be read, then start a new log"))
    else:
        checks += _row_checks(rows)
    _read_pictures(state_dir, rows, progress)
    checks += _picture_checks(rows)
    checks += _stray_checks(find_strays(log, grace_s=grace_s))
    checks.append(_modes(state_dir))
    return tuple(checks)


def repair(log: ResultsLog, *, grace_s: float = GRACE_S) -> tuple[str, ...]:
    """Put right what loses nothing, and return what was done, a line each.

    Unfinished deletions are finished, temporaries deleted, orphans moved to ``orphans/``, and modes narrowed.

    Raises:
        StorageError: something of it failed.
    """
    state_dir = log.path.parent
    found = find_strays(log, grace_s=grace_s)
    done = []
    delete_strays(log, Strays(temporaries=found.temporaries, unfinished=found.unfinished))
    done += [f"deleted {path}" for path in (*found.temporaries, *found.unfinished)]
    done += [f"moved an orphan to {path}" for path in set_aside(log, found.orphans)]
    for path, mode in _too_wide(state_dir):
        with storage_faults(path, "narrow the mode"):
            path.chmod(mode)
        done.append(f"narrowed the mode of {path.relative_to(state_dir)} to {mode:04o}")
    return tuple(done)


def _integrity(log: ResultsLog) -> Check:
    try:
        with log.reading() as connection:
            found = [text for (text,) in connection.execute(f"PRAGMA integrity_check({MAX_NAMED})")]
    except StorageError as error:
        found = [str(error)]
    if found == ["ok"]:
        return Check("database", "ok", "SQLite finds the file whole")
    fix = "keep a copy of the file, its -wal and -shm; 'results export' what can still be read"
    return Check("database", "fail", found[0], fix, tuple(found), len(found))


def _read_rows(log: ResultsLog, rows: _Rows) -> None:
    query = (
        f"SELECT seq, created_at, label, subject, image_path, {READ_COLUMNS} "  # noqa: S608
        "FROM results WHERE seq > ? ORDER BY seq LIMIT ?"
    )
    last = 0
    while True:
        with log.reading() as connection:
            batch = connection.execute(query, (last, _ROWS_PER_READ)).fetchall()
        if not batch:
            return
        for row in batch:
            _read_row(log, rows, row)
        last = batch[-1][0]


def _read_row(log: ResultsLog, rows: _Rows, row: tuple[object, ...]) -> None:
    _, created_at, label, subject, image_path, *stored = row
    result_id, text, key_id = str(stored[0]), str(stored[1]), stored[2]
    rows.count += 1
    try:
        bare = decode(text, result_id, log.path)
        if key_id is not None and (log.keyring is None or not log.keyring.has(str(key_id))):
            rows.sealed += 1
            opened = bare
        else:
            opened = from_row(tuple(stored), log.path, log.keyring)
    except StorageError:
        rows.damaged.append(result_id)
        return
    expected = opened.subject
    if key_id is not None:
        known = log.keyring is not None and log.keyring.has(str(key_id))
        tags = log.keyring.tags(expected) if known and log.keyring and expected is not None else ()
        expected = subject if not known or subject in tags else None  # type: ignore[assignment]
    columns = (result_id, created_at, label, subject, image_path)
    if columns != (bare.result_id, bare.created_at, bare.label, expected, bare.image_path):
        rows.disagreeing.append(result_id)
    for path in named_pictures(text):
        rows.pictures[path] = bare.image_sha256 if path == bare.image_path else None


def _read_pictures(state_dir: Path, rows: _Rows, progress: Callable[[list[str]], Iterable[str]]) -> None:
    for path in progress(list(rows.pictures)):
        expected = rows.pictures[path]
        try:
            with (state_dir / path).open("rb") as stream:
                digest = hashlib.sha256()
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError:
            rows.missing.append(path)
            continue
        if expected is not None and digest.hexdigest() != expected:
            rows.altered.append(path)


def _row_checks(rows: _Rows) -> Iterator[Check]:
    yield _listed(
        "rows", rows.damaged, f"all {rows.count} rows can be read", "rows cannot be read",
        "they were altered from outside, or sealed under another key; export the others",
    )  # fmt: skip
    yield _listed(
        "columns", rows.disagreeing, "the columns say what the rows say", "rows disagree with their columns",
        "they were altered from outside: 'results show ID' shows what the row itself says",
    )  # fmt: skip
    if rows.sealed:
        yield Check(
            "encryption", "warn", f"{rows.sealed} rows are encrypted with a key that is not at hand",
            "set encryption.key_file to check these too", count=rows.sealed,
        )  # fmt: skip


def _picture_checks(rows: _Rows) -> Iterator[Check]:
    kept = f"all {len(rows.pictures)} pictures that rows name are there"
    yield _listed(
        "pictures", rows.missing, kept, "pictures that rows name cannot be read",
        "bring them back from a copy, or delete what names them: 'results purge'",
    )  # fmt: skip
    yield _listed(
        "hashes", rows.altered, "every picture is the one that was classified", "pictures were altered",
        "do not rely on them; bring them back from a copy",
    )  # fmt: skip


def _stray_checks(strays: Strays) -> Iterator[Check]:
    again = "'results verify --repair'"
    yield _listed(
        "orphans", strays.orphans, "every kept picture has its row", "pictures that no row names",
        f"{again} moves them to {ASIDE}/, 'results purge --orphans' deletes them",
    )  # fmt: skip
    yield _listed(
        "temporaries", strays.temporaries, "no interrupted write is left", "files of interrupted writes",
        f"{again} or 'results purge --orphans' deletes them",
    )  # fmt: skip
    yield _listed(
        "removals", strays.unfinished, "no deletion is unfinished", "pictures still to be deleted",
        f"{again}, 'results purge --orphans' or the next capture deletes them",
    )  # fmt: skip
    if strays.young:
        yield Check(
            "young", "warn", f"{len(strays.young)} files without a row are seconds old",
            "of a running capture? look again in a minute", strays.young[:MAX_NAMED], len(strays.young),
        )  # fmt: skip


def _modes(state_dir: Path) -> Check:
    owner = state_dir.stat().st_uid
    wide = [str(path.relative_to(state_dir)) or "." for path, _ in _too_wide(state_dir)]
    foreign = [
        str(path.relative_to(state_dir)) for path in _private(state_dir) if path.lstat().st_uid != owner
    ]
    if foreign:
        return _listed("modes", foreign, "", "files belong to another user", f"chown them to user {owner}")
    return _listed(
        "modes", wide, "log and pictures are readable by their owner only", "files that others may read",
        "'results verify --repair' narrows them",
    )  # fmt: skip


def _too_wide(state_dir: Path) -> list[tuple[Path, int]]:
    """Return what others may read or write, each with the mode it should have."""
    found = []
    for path in _private(state_dir):
        status = path.lstat()
        if stat.S_IMODE(status.st_mode) & 0o077 and not stat.S_ISLNK(status.st_mode):
            found.append((path, DIRECTORY_MODE if stat.S_ISDIR(status.st_mode) else FILE_MODE))
    return found


def _private(state_dir: Path) -> Iterator[Path]:
    """Yield what may only be its owner's: the log, and all below the folders of pictures."""
    yield from (
        path for suffix in ("", "-wal", "-shm") if (path := state_dir / f"{FILE_NAME}{suffix}").exists()
    )
    for name in (FOLDER, ASIDE):
        for folder, _, files in os.walk(state_dir / name):
            yield Path(folder)
            yield from (Path(folder) / file for file in files)


def _listed(name: str, items: list[str] | tuple[str, ...], good: str, bad: str, fix: str) -> Check:
    if not items:
        return Check(name, "ok", good)
    return Check(name, "fail", f"{len(items)} {bad}", fix, tuple(items[:MAX_NAMED]), len(items))
