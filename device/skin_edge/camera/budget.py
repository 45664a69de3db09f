"""How often, and after how long, a camera is started again."""

from __future__ import annotations

import random
from collections import deque


class RestartBudget:
    """At most so many restarts within a window; each further one in it waits twice as long.

    Args:
        restarts: how many within the window; 0 never restarts.
        window_s: seconds.
        backoff_s: seconds before the first restart in a window.
        backoff_max_s: seconds that no wait exceeds, before the jitter.
        jitter: part of a wait by which it is made longer or shorter at random, so that several cameras on
            one bus do not come back at the same moment.
        rng: where the jitter comes from.
    """

    def __init__(
        self,
        *,
        restarts: int,
        window_s: float,
        backoff_s: float,
        backoff_max_s: float,
        jitter: float,
        rng: random.Random | None = None,
    ) -> None:
        self._restarts = restarts
        self._window_s = window_s
        self._backoff_s = backoff_s
        self._backoff_max_s = backoff_max_s
        self._jitter = jitter
        self._rng = rng or random.Random()  # noqa: S311 - no secret hangs on it
        self._spent: deque[float] = deque()

    def spend(self, now_s: float) -> float | None:
        """Take one restart out of the budget; return the seconds to wait before it, None where none is left.

        Args:
            now_s: on the monotonic clock.
        """
        while self._spent and now_s - self._spent[0] > self._window_s:
            self._spent.popleft()
        if len(self._spent) >= self._restarts:
            return None
        # The exponent is capped as well: 2.0 ** 1100 does not exist.
        wait_s = min(self._backoff_max_s, self._backoff_s * 2.0 ** min(len(self._spent), 60))
        self._spent.append(now_s)
        return wait_s * (1.0 + self._jitter * self._rng.uniform(-1.0, 1.0))
