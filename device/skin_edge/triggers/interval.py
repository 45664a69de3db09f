"""A capture every so many seconds."""

from __future__ import annotations

import time

from skin_edge.triggers.base import Signal, Trigger


class IntervalTrigger(Trigger):
    """Fires at once, then `interval_s` after it fired last, or later where it was not asked in time.

    Args:
        interval_s: seconds from one start to the next; 0 always fires.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._due_s: float | None = None

    def wait(self, timeout_s: float | None) -> Signal:
        """As `Trigger.wait`; it never ends."""
        now = time.monotonic()
        left = 0.0 if self._due_s is None else max(0.0, self._due_s - now)
        if timeout_s is not None and timeout_s < left:
            time.sleep(timeout_s)
            return Signal.NOTHING
        if left:
            time.sleep(left)
        self._due_s = now + left + self._interval_s
        return Signal.FIRED
