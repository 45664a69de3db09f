"""Who has shown the PIN lately: a cookie and its end, in memory, so that a restart locks everything."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

COOKIE: Final = "skin_edge_unlock"

#: Browsers unlocked at once; the oldest is locked first.
_MOST: Final = 64


class Unlocks:
    """Browsers that may change settings; belongs to one event loop.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: dict[str, float] = {}

    def open(self, for_s: float) -> str:
        """Return a new cookie that opens the settings for so many seconds."""
        self._forget_old()
        while len(self._ends) >= _MOST:
            del self._ends[min(self._ends, key=self._ends.__getitem__)]
        value = secrets.token_urlsafe(32)
        self._ends[_digest(value)] = self._clock() + for_s
        return value

    def is_open(self, cookies: Mapping[str, str]) -> bool:
        """Whether these cookies open the settings now."""
        end_s = self._ends.get(_digest(cookies.get(COOKIE, "")))
        return end_s is not None and self._clock() < end_s

    def close(self, cookies: Mapping[str, str]) -> None:
        """Lock this browser."""
        self._ends.pop(_digest(cookies.get(COOKIE, "")), None)

    def close_all(self) -> None:
        """Lock every browser, as a new PIN does."""
        self._ends.clear()

    def _forget_old(self) -> None:
        now = self._clock()
        self._ends = {value: end_s for value, end_s in self._ends.items() if end_s > now}


def _digest(value: str) -> str:
    """Looked up by its hash, a cookie cannot be guessed from how long the look-up takes."""
    return hashlib.sha256(value.encode()).hexdigest()
