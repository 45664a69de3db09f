"""A lock that one process holds at a time, waited for no longer than is wanted; it ends with its holder."""

from __future__ import annotations

import fcntl
import time

_PAUSE_S = 0.1


def lock_within(descriptor: int, wait_s: float) -> bool:
    """Return whether an open file could be locked for this process alone.

    Args:
        descriptor: of the file; closing it gives the lock back.
        wait_s: seconds to wait for another who holds it.

    Raises:
        OSError: its file system knows no locks.
    """
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE_S)
