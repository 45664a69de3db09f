"""Room put aside for the worst moment: on a full disk, deleting needs a few pages of the log first."""

from __future__ import annotations

import os
from pathlib import Path

from skin_edge.durable import FILE_MODE, fsync_directory
from skin_edge.faults import storage_faults

FILE_NAME = "reserve"
#: Enough to mark a batch of pictures as removed, which then frees more.
RESERVE_BYTES = 512 * 1024
#: Enough to open the log: 32 KiB of -shm.
OPENING_BYTES = 64 * 1024


def hold_reserve(state_dir: Path) -> bool:
    """Put the room aside where the disk has it, and return whether it is there, whole.

    Raises:
        StorageError: the directory cannot be written, for another reason than a full disk.
    """
    path = state_dir / FILE_NAME
    with storage_faults(path, "keep a reserve"):
        missing = missing_bytes(state_dir)
        if missing == 0:
            return True
        if free_bytes(state_dir) < missing + OPENING_BYTES:
            return False
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, FILE_MODE)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        finally:
            os.close(descriptor)
    return True


def release_reserve(state_dir: Path, size: int = RESERVE_BYTES) -> bool:
    """Give `size` bytes of the room back, or what is left; return whether there were any."""
    path = state_dir / FILE_NAME
    try:
        left = path.stat().st_size - size
        if left > 0:
            os.truncate(path, left)
        else:
            path.unlink()
        fsync_directory(state_dir)  # some file systems free blocks only with their next commit
    except OSError:
        return False
    return True


def missing_bytes(state_dir: Path) -> int:
    """Return how much of the reserve is not there, in bytes."""
    try:
        return max(0, RESERVE_BYTES - (state_dir / FILE_NAME).stat().st_size)
    except OSError:
        return RESERVE_BYTES


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
