"""Can the wall clock be believed? A Raspberry Pi has none that runs without power.

After a start without network its time is that of the last shutdown or of the image: plausible, and wrong.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from skin_edge.health.sysfs import board, read_int

ClockState = Literal["synchronised", "rtc", "unset", "unknown"]

#: No right clock shows an earlier time than this: about when this release was made. Moved with every release.
RELEASED = datetime(2026, 11, 1, tzinfo=timezone.utc)

#: A clock that was set from the hardware clock differs from it by the drift since then.
_RTC_TOLERANCE_S = 120.0
_TIME_ERROR = 5  # <sys/timex.h>: the kernel's clock is not synchronised


@dataclass(frozen=True, slots=True)
class ClockReport:
    """What is known of the wall clock.

    Attributes:
        state: ``synchronised`` by NTP since boot; ``rtc``: set from a hardware clock that agrees with it;
            ``unset``: nothing has set it, or it is wrong for certain; ``unknown``: the machine does not
            tell, as in a container.
        why: what that rests on, completing "the clock is ...".
        impossible: True where it shows a time before this release was made.
    """

    state: ClockState
    why: str
    impossible: bool = False


def kernel_synchronised() -> bool | None:
    """Return whether the kernel takes its clock for synchronised (adjtimex(2)); None: it does not say."""
    try:
        libc = ctypes.CDLL(None)
        # struct timex with modes = 0, which only reads; larger than any architecture's.
        state = libc.adjtimex(ctypes.create_string_buffer(1024))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def read_clock(
    root: Path = Path("/"),
    *,
    now_s: float | None = None,
    synchronised: Callable[[], bool | None] = kernel_synchronised,
) -> ClockReport:
    """Say whether the wall clock can be believed.

    Args:
        root: of the file system.
        now_s: the wall clock, seconds since the epoch; None reads it.
        synchronised: what the kernel says; tests say it instead.
    """
    now_s = time.time() if now_s is None else now_s
    if now_s < RELEASED.timestamp():
        shown = datetime.fromtimestamp(now_s, timezone.utc)
        return ClockReport("unset", f"at {shown:%Y-%m-%d}, before this release was made", impossible=True)
    if (root / "run/systemd/timesync/synchronized").exists():
        return ClockReport("synchronised", "synchronised by systemd-timesyncd since boot")
    kernel = synchronised()
    if kernel:
        return ClockReport("synchronised", "synchronised, as the kernel says")
    rtcs = sorted((root / "sys/class/rtc").glob("rtc[0-9]*"))
    if rtcs:
        return _by_rtc([t for rtc in rtcs if (t := read_int(rtc / "since_epoch")) is not None], now_s)
    if board(root) is None:
        return ClockReport("unknown", "not synchronised by NTP, and what else sets it cannot be told here")
    return ClockReport("unset", "not synchronised since boot, and this board has no hardware clock")


def _by_rtc(times_s: list[int], now_s: float) -> ClockReport:
    if not times_s:
        return ClockReport("unknown", "not synchronised, and the hardware clock cannot be read")
    off_s = min((now_s - t for t in times_s), key=abs)
    if abs(off_s) <= _RTC_TOLERANCE_S:
        return ClockReport("rtc", "set from a hardware clock")
    # A Pi 5 has a hardware clock that starts at 1970 where no battery is fitted.
    return ClockReport("unset", f"{abs(off_s):.0f} s off the hardware clock and not synchronised since boot")
