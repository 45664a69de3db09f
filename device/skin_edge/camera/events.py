"""What a supervised camera reports while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

#: Each fault, with the code of the CameraError that ends the source when the restarts are used up.
FAULT_CODES: Final = {
    "hang-open": "camera-hang",
    "hang-read": "camera-hang",
    "hang-close": "camera-hang",
    "unplug": "camera-lost",
    "error": "camera-error",
    "crash": "camera-crash",
    "black": "camera-frames",
    "frozen": "camera-frames",
    "torn": "camera-frames",
    "garbage": "camera-frames",
    "wrong-size": "camera-frames",
}

EventKind = Literal[
    "opened", "note", "bad-frame", "restart", "recovered", "gave-up",
    "hang-open", "hang-read", "hang-close", "unplug", "error", "crash",
    "black", "frozen", "torn", "garbage", "wrong-size",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class CameraEvent:
    """One thing that happened to a camera.

    Attributes:
        kind: a fault (a key of `FAULT_CODES`), or `opened`, `note` (something asked for was not granted),
            `bad-frame` (the first of a run of withheld pictures), `restart` (about to wait and start again),
            `recovered` (the first good picture after a fault), `gave-up`.
        cause: the same for a person, one line.
        restart: how often the camera has been started again so far.
        wall_time_s: seconds since the epoch (UTC) by the wall clock.
        monotonic_s: seconds on the monotonic clock.
    """

    kind: EventKind
    cause: str
    restart: int
    wall_time_s: float = field(default_factory=time.time)
    monotonic_s: float = field(default_factory=time.monotonic)


#: Called from the supervisor's thread: return soon, and do not close the source from it.
OnEvent = Callable[[CameraEvent], None]
