"""Percentiles, turns, and a histogram that stays small."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skin_edge.health.bench.measure import Histogram, interleaved, spread

TIMES = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=300)


def test_percentiles_are_nearest_ranks() -> None:
    found = spread([float(n) for n in range(100, 0, -1)])
    assert (found.p50_ms, found.p95_ms, found.max_ms) == (50.0, 95.0, 100.0)
    assert spread([3.0]).p95_ms == 3.0
    with pytest.raises(ValueError, match="no times"):
        spread([])


@settings(deadline=None)
@given(TIMES)
def test_a_percentile_has_that_part_at_or_below_it(times: list[float]) -> None:
    found = spread(times)
    for value, part in ((found.p50_ms, 0.5), (found.p95_ms, 0.95)):
        assert value in times
        assert sum(t <= value for t in times) >= part * len(times) - 1e-9
        assert sum(t < value for t in times) < part * len(times)


@settings(deadline=None)
@given(TIMES)
def test_a_histogram_is_right_to_one_part_in_a_hundred(times: list[float]) -> None:
    histogram = Histogram()
    histogram.add(times)
    exact, found = spread(times), histogram.spread()
    assert found.max_ms == exact.max_ms
    assert found.p50_ms == pytest.approx(exact.p50_ms, rel=0.011)
    assert found.p95_ms == pytest.approx(exact.p95_ms, rel=0.011)
    assert histogram.count == len(times)


def test_a_histogram_does_not_grow_with_what_it_counts() -> None:
    histogram = Histogram()
    histogram.add(10 * (1 + math.sin(n)) for n in range(50_000))
    assert len(histogram._counts) < 1200


def test_tasks_are_run_in_turn_after_one_unmeasured_round() -> None:
    order: list[str] = []
    rounds: list[int] = []
    times = interleaved(
        {"a": lambda: order.append("a"), "b": lambda: (order.append("b"), time.sleep(0.005))},
        3,
        after_round=rounds.append,
    )
    assert order == ["a", "b"] * 4
    assert rounds == [1, 2, 3]
    assert [len(values) for values in times.values()] == [3, 3]
    assert min(times["b"]) >= 5.0
