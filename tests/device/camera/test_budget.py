"""Back-off, jitter and the number of restarts."""

from __future__ import annotations

import random

import pytest

from skin_edge.camera.budget import RestartBudget


def budget(**changed: float) -> RestartBudget:
    values = {"restarts": 6, "window_s": 100.0, "backoff_s": 0.5, "backoff_max_s": 5.0, "jitter": 0.0}
    return RestartBudget(**(values | changed), rng=random.Random(1))  # type: ignore[arg-type]


def test_waits_double_up_to_a_limit_and_the_budget_ends() -> None:
    one = budget()
    assert [one.spend(float(n)) for n in range(7)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, None]


def test_old_restarts_are_forgiven_and_the_wait_is_short_again() -> None:
    one = budget(restarts=2)
    assert [one.spend(0.0), one.spend(50.0), one.spend(99.0)] == [0.5, 1.0, None]
    assert one.spend(100.5) == 1.0
    assert one.spend(300.0) == 0.5


def test_no_restarts() -> None:
    assert budget(restarts=0).spend(0.0) is None


def test_jitter_stays_within_its_part_and_varies() -> None:
    one = budget(jitter=0.2, restarts=1, window_s=0.5)
    waits = [one.spend(float(n)) or 0.0 for n in range(200)]
    assert all(0.4 <= wait <= 0.6 for wait in waits)
    assert max(waits) - min(waits) > 0.1


@pytest.mark.parametrize("restarts", [2000])
def test_many_restarts_do_not_overflow(restarts: int) -> None:
    one = budget(restarts=restarts, window_s=1e9)
    assert [one.spend(float(n)) for n in range(restarts)][-1] == 5.0
