"""Times of tasks, taken in turn, and how they spread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence

from skin_edge.strict import Strict

#: Width of a histogram's bins: a quantile is right to one part in a hundred.
_GROWTH = 1.01
_FIRST_MS = 1e-3


class Spread(Strict, frozen=True):
    """Milliseconds: median, 95th percentile and largest of what was timed."""

    p50_ms: float
    p95_ms: float
    max_ms: float


def spread(times_ms: Sequence[float]) -> Spread:
    """Return how times spread, percentiles by the nearest rank.

    Raises:
        ValueError: there is none.
    """
    if not times_ms:
        raise ValueError("no times to spread")
    ordered = sorted(times_ms)
    return Spread(p50_ms=_rank(ordered, 0.5), p95_ms=_rank(ordered, 0.95), max_ms=ordered[-1])


def _rank(ordered: Sequence[float], part: float) -> float:
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def interleaved(
    tasks: dict[str, Callable[[], object]],
    rounds: int,
    after_round: Callable[[int], object] | None = None,
) -> dict[str, list[float]]:
    """Run all tasks once unmeasured, then `rounds` times in turn: a change of speed falls on all alike.

    Args:
        tasks: by name, in the order in which they are run.
        rounds: how often.
        after_round: called with the number of rounds done.

    Returns:
        Milliseconds by name, one a round.
    """
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for number in range(rounds):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            times[name].append((time.perf_counter() - started) * 1e3)
        if after_round is not None:
            after_round(number + 1)
    return times


class Histogram:
    """Spread of any number of times in memory that does not grow with them; the largest is exact."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._largest_ms = 0.0
        self.count = 0

    def add(self, times_ms: Iterable[float]) -> None:
        """Count these times."""
        for time_ms in times_ms:
            number = max(0, math.ceil(math.log(max(time_ms, _FIRST_MS) / _FIRST_MS, _GROWTH)))
            self._counts[number] = self._counts.get(number, 0) + 1
            self._largest_ms = max(self._largest_ms, time_ms)
            self.count += 1

    def spread(self) -> Spread:
        """Return how they spread, percentiles to one part in a hundred.

        Raises:
            ValueError: nothing was counted.
        """
        if not self.count:
            raise ValueError("no times to spread")
        return Spread(p50_ms=self._quantile(0.5), p95_ms=self._quantile(0.95), max_ms=self._largest_ms)

    def _quantile(self, part: float) -> float:
        rank, seen = math.ceil(part * self.count), 0
        for number in sorted(self._counts):
            seen += self._counts[number]
            if seen >= rank:
                return min(self._largest_ms, _FIRST_MS * _GROWTH**number)
        return self._largest_ms
