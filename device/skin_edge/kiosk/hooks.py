"""Who is told what the station does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who is told what, in the station's thread unless said otherwise; a call must return soon.

    Attributes:
        changed: there is a new snapshot; from any thread.
        heartbeat: a frame was completed, or a try to get a lost camera back was.
        ended: the thread has ended, for good or with `Station.failure`.
    """

    changed: Callable[[], None] = lambda: None
    heartbeat: Callable[[], None] = lambda: None
    ended: Callable[[], None] = lambda: None
