"""The rules of a fleet, with jobs that take no time."""

from __future__ import annotations

import asyncio

import pytest

from skin_edge_deploy.errors import HostError
from skin_edge_deploy.fleet import Fleet, Rules
from skin_edge_deploy.outcome import Outcome, Track
from skin_edge_deploy.ssh.asking import Stopwatch
from skin_edge_deploy.ssh.patience import within
from skin_edge_deploy.targets import Target, parse_target


def targets(count: int) -> list[Target]:
    return [parse_target(f"h{number}") for number in range(count)]


def test_never_more_at_once_than_allowed_and_all_of_them_in_the_end() -> None:
    now, most = 0, 0

    async def job(target: Target, track: Track) -> Outcome:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        return Outcome(target.text, "done")

    outcomes = asyncio.run(Fleet(targets(100), job, Rules(concurrency=7)).run())
    assert most == 7
    assert [outcome.target for outcome in outcomes] == [f"h{number}" for number in range(100)]
    assert {outcome.status for outcome in outcomes} == {"done"}


def test_a_bug_on_one_host_leaves_the_others_alone() -> None:
    async def job(target: Target, track: Track) -> Outcome:
        if target.host == "h1":
            raise ZeroDivisionError("a bug")
        return Outcome(target.text, "done")

    outcomes = asyncio.run(Fleet(targets(3), job, Rules()).run())
    assert [outcome.status for outcome in outcomes] == ["done", "failed", "done"]
    assert outcomes[1].code == "internal"


def test_stopped_those_under_way_end_and_no_other_begins() -> None:
    begun: list[str] = []

    async def job(target: Target, track: Track) -> Outcome:
        begun.append(target.host)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return Outcome(target.text, "interrupted")
        return Outcome(target.text, "done")

    async def main() -> list[Outcome]:
        fleet = Fleet(targets(5), job, Rules(concurrency=2))
        asyncio.get_running_loop().call_later(0.05, fleet.stop, "it was interrupted")
        return await fleet.run()

    outcomes = asyncio.run(main())
    assert [outcome.status for outcome in outcomes] == ["interrupted"] * 2 + ["not-tried"] * 3
    assert begun == ["h0", "h1"]


def test_patience_does_not_run_while_a_person_is_asked() -> None:
    clock = Stopwatch()

    async def asks() -> str:
        with clock.running():
            await asyncio.sleep(0.3)
        return "answered"

    assert asyncio.run(within(0.1, "asking", asks(), asked=clock)) == "answered"


def test_patience_ends_and_cuts_first() -> None:
    told: list[str] = []

    async def hangs() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            told.append("cancelled")

    with pytest.raises(HostError, match="nothing came of it") as caught:
        asyncio.run(within(0.05, "waiting", hangs(), cut=lambda: told.append("cut")))
    assert caught.value.code == "timeout"
    assert told == ["cut", "cancelled"]


def test_patience_begins_anew_while_something_moves() -> None:
    moved = [0]

    async def crawls() -> str:
        for _ in range(8):
            await asyncio.sleep(0.05)
            moved[0] += 1
        return "there"

    assert asyncio.run(within(0.15, "crawling", crawls(), moved=lambda: moved[0])) == "there"
