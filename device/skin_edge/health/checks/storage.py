"""The state folder: is there room, can the log be written safely there, and is the log whole."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from skin_edge.errors import StorageError
from skin_edge.health.checks.check import Context, Finding, existing
from skin_edge.results.connect import open_to_read
from skin_edge.results.log import BUSY_TIMEOUT_S, FILE_NAME
from skin_edge.results.migrations import pending

_MB = 1_000_000
#: A kept picture takes one inode and a day's folder another.
_WARN_INODES = 10_000
_MIN_INODES = 100
#: SQLite folds the -wal file back at 4 MB; one this large has a reader or a crash behind it.
_LARGE_WAL_MB = 64
#: File systems without the shared memory or the file modes that the log rests on.
_UNSAFE = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "vfat", "exfat", "msdos", "fuseblk", "ntfs3",
}  # fmt: skip


def check_disk(context: Context) -> Finding:
    """Room, inodes, the kind of file system, and a database written, flushed and read back for real."""
    folder = existing(context.state_dir)
    room = os.statvfs(folder)
    free_mb, limits = room.f_bavail * room.f_frsize // _MB, context.settings.health
    inodes = room.f_favail if room.f_files else None  # btrfs and others have no fixed number
    kind = _kind_of_file_system(folder)
    data = {"folder": str(folder), "free_mb": free_mb, "free_inodes": inodes, "file_system": kind}

    def finding(status: str, message: str, fix: str | None = None) -> Finding:
        return Finding(status=status, message=message, fix=fix, data=data)  # type: ignore[arg-type]

    if room.f_flag & os.ST_RDONLY:
        return finding(
            "fail",
            f"{folder} is on a file system that is mounted read-only",
            "after errors the kernel does that: check the card (fsck), then mount it read-write",
        )
    if free_mb < limits.min_free_mb:
        return finding(
            "fail",
            f"{free_mb} MB free for {folder}, less than health.min_free_mb ({limits.min_free_mb})",
            "free room on that disk: export and purge old results, delete or move other files",
        )
    if inodes is not None and inodes < _MIN_INODES:
        return finding("fail", f"{folder} has {inodes} inodes left", "delete small files on that file system")
    if (problem := _write_problem(folder)) is not None:
        return finding(
            "fail",
            f"{folder}: {problem}",
            "check owner and permissions, or choose a state folder on a local disk",
        )
    if kind in _UNSAFE:
        return finding(
            "fail",
            f"{folder} is on {kind}, where neither locks nor file modes can be relied on",
            "choose a state folder on a local Linux file system such as ext4",
        )
    if free_mb < limits.warn_free_mb:
        return finding(
            "warn",
            f"{free_mb} MB free for {folder}, less than health.warn_free_mb ({limits.warn_free_mb})",
            "free room before it is full: export and purge old results, delete or move other files",
        )
    if inodes is not None and inodes < _WARN_INODES:
        return finding("warn", f"{folder} has {inodes} inodes left", "delete small files on that file system")
    there = "" if folder == context.state_dir else f"; {context.state_dir} is made with the first result"
    return finding("ok", f"{free_mb} MB free on {kind or 'the disk'} for {folder}{there}")


def check_log(context: Context) -> Finding:
    """`PRAGMA quick_check` of the results log, without changing it."""
    path = context.state_dir / FILE_NAME
    try:
        size_mb = path.stat().st_size / _MB
    except (FileNotFoundError, NotADirectoryError):
        return Finding(status="skip", message="no results log yet; the first result makes it")
    except PermissionError:
        return Finding(
            status="fail",
            message=f"{path} cannot be reached by this user",
            fix="run doctor as the user whose log it is, as in: sudo -u skin-edge skin-edge doctor",
        )
    wal = path.with_name(f"{path.name}-wal")
    wal_mb = wal.stat().st_size / _MB if wal.exists() else 0.0
    data: dict[str, object] = {"path": str(path), "size_mb": size_mb, "wal_mb": wal_mb}
    try:
        connection, _ = open_to_read(path, BUSY_TIMEOUT_S)
        with closing(connection) as log:
            problems = [text for (text,) in log.execute("PRAGMA quick_check(3)")]
            if problems == ["ok"]:
                data["pending_migrations"] = [step.name for step in pending(log, path)]
                (data["rows"],) = log.execute("SELECT count(*) FROM results").fetchone()
    except StorageError as error:
        if error.code == "storage-newer":
            raise
        problems = [str(error)]
    except sqlite3.Error as error:
        problems = [str(error)]
    if problems != ["ok"]:
        return Finding(
            status="fail",
            message=f"{path} is damaged: {'; '.join(problems)}",
            fix="stop skin-edge, move the file and its -wal aside, keep both, and a new log is started; "
            "what can be read is saved by `sqlite3 FILE .recover`",
            data=data,
        )
    if wal_mb > _LARGE_WAL_MB:
        return Finding(
            status="warn",
            message=f"{wal} has grown to {wal_mb:.0f} MB: something holds the log open for reading",
            fix="close other programs that read the log; the next result folds the file back",
            data=data,
        )
    return Finding(status="ok", message=f"rows: {data['rows']}; quick_check is ok", data=data)


def _write_problem(folder: Path) -> str | None:
    """Write a small WAL database there as the log does; say why it could not be done."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as name,
            closing(sqlite3.connect(Path(name) / "probe.sqlite3", isolation_level=None)) as probe,
        ):
            (mode,) = probe.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                return "SQLite cannot use its write-ahead log there"
            probe.execute("PRAGMA synchronous = FULL")
            probe.execute("CREATE TABLE probe (x)")
            probe.execute("INSERT INTO probe VALUES (1)")
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    except sqlite3.Error as error:
        return f"cannot hold a database: {error}"
    return None


def _kind_of_file_system(folder: Path) -> str | None:
    """Type of the mount that holds `folder`, from /proc/self/mounts; the last of the longest match counts."""
    mounts = read_mounts()
    real = folder.resolve()
    best: tuple[int, str | None] = (-1, None)
    for mount_point, kind in mounts:
        if real.is_relative_to(mount_point) and len(mount_point.parts) >= best[0]:
            best = (len(mount_point.parts), kind)
    return best[1]


def read_mounts() -> list[tuple[Path, str]]:
    """Return mount points and file system types of this process."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    fields = [line.split(" ") for line in lines]
    # Blanks in a name are written in octal.
    return [(Path(f[1].replace("\\040", " ")), f[2]) for f in fields if len(f) > 2]
