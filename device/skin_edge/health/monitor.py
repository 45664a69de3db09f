"""The machine's state for each row of the log, at next to no cost per frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from skin_edge.health.clock import ClockReport, read_clock
from skin_edge.health.platform import Platform
from skin_edge.results.record import Machine

if TYPE_CHECKING:
    from skin_edge.results.log import ResultsLog

#: Temperature changes within seconds, not within frames.
PERIOD_S = 5.0
#: What NTP corrects by stepping back is less; a clock that lost its time is off by more.
_BACKWARDS_S = 2.0


class MachineMonitor:
    """Called for each row, returns what is known of the machine; read anew every few seconds only.

    Args:
        newest_row_s: when the newest row of the log was made, seconds since the epoch; a clock behind it is
            wrong unless NTP vouches for it. None where there is no row.
        root: of the file system.
        period_s: seconds for which a reading holds.
        clock: tells the state of the wall clock.
        wall: the wall clock, seconds since the epoch.
    """

    def __init__(
        self,
        newest_row_s: float | None = None,
        *,
        root: Path = Path("/"),
        period_s: float = PERIOD_S,
        clock: Callable[[], ClockReport] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._platform = Platform(root)
        self._clock = clock or (lambda: read_clock(root))
        self._newest_s = newest_row_s or 0.0
        self._period_s = period_s
        self._wall = wall
        self._due_s: float | None = None
        self._synchronised = False
        self._machine = Machine(clock="unknown")

    @classmethod
    def for_log(cls, log: ResultsLog) -> MachineMonitor:
        """Return a monitor that knows when the newest row of `log` was made.

        Raises:
            StorageError: the log cannot be read.
        """
        newest = log.list(limit=1)
        return cls(created_s(newest[0].created_at) if newest else None)

    def __enter__(self) -> MachineMonitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of an open question to the firmware."""
        self._platform.close()

    def __call__(self) -> Machine:
        """Return the state of the machine; never waits but the first time, and then a second at most."""
        now_s, wall_s = time.monotonic(), self._wall()
        behind = wall_s < self._newest_s - _BACKWARDS_S
        if (
            self._due_s is None
            or now_s >= self._due_s
            or (behind and self._machine.clock in ("rtc", "unknown"))
        ):
            self._machine = self._read(behind)
            self._due_s = now_s + self._period_s
        if not behind:
            self._newest_s = max(self._newest_s, wall_s)
        return self._machine

    def _read(self, behind: bool) -> Machine:
        readings = self._platform.read(wait=self._due_s is None)
        clock = self._clock().state
        # The kernel forgets after hours without network that it was synchronised; the clock does not.
        self._synchronised = clock == "synchronised" or (self._synchronised and not behind)
        if self._synchronised:
            clock = "synchronised"
        elif behind:
            clock = "unset"
        return Machine(
            temperature_c=readings.temperature_c,
            throttled=readings.power.throttled,
            under_voltage=readings.power.under_voltage,
            clock=clock,
        )


def created_s(created_at: str) -> float:
    """Return the seconds since the epoch of a row's `created_at`."""
    return datetime.fromisoformat(created_at.replace("Z", "+00:00")).timestamp()
