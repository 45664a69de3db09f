"""Room put aside for the worst moment: on a full disk, deleting needs a few pages of the log first."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from skin_edge.durable import FILE_MODE, fsync_directory
from skin_edge.results.faults import storage_faults

FILE_NAME = "reserve"
#: Enough to open the log (32 KiB of -shm) and to mark a batch of pictures as removed.
RESERVE_BYTES = 512 * 1024


def hold_reserve(state_dir: Path) -> bool:
    """Put the room aside where that leaves three times as much free; return whether it is there.

    Raises:
        StorageError: the directory cannot be written, for another reason than a full disk.
    """
    path = state_dir / FILE_NAME
    with storage_faults(path, "keep a reserve"):
        with suppress(FileNotFoundError):
            if path.stat().st_size == RESERVE_BYTES:
                return True
            path.unlink()
        if free_bytes(state_dir) < 4 * RESERVE_BYTES:
            return False
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
    return True


def release_reserve(state_dir: Path) -> bool:
    """Give the room back; return whether there was any."""
    try:
        (state_dir / FILE_NAME).unlink()
        fsync_directory(state_dir)  # some file systems free blocks only with their next commit
    except OSError:
        return False
    return True


def free_bytes(directory: Path) -> int:
    """Return what an ordinary user can still write to the file system of `directory`, in bytes.

    Raises:
        OSError: there is no such directory.
    """
    room = os.statvfs(directory)
    return room.f_bavail * room.f_frsize


def disk_bytes(directory: Path) -> int:
    """Return the size of the file system of `directory`, in bytes.

    Raises:
        OSError: there is no such directory.
    """
    room = os.statvfs(directory)
    return room.f_blocks * room.f_frsize
