"""Many hosts: canaries first, so many at once, and a stop before a bad bundle has failed everywhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from skin_edge_deploy.outcome import Outcome, Track
from skin_edge_deploy.targets import Target

logger = logging.getLogger(__name__)

Job = Callable[[Target, Track], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Rules:
    """How a fleet is gone through.

    Attributes:
        concurrency: hosts at once.
        canary: hosts that go first, alone; if one of them fails, no other is touched.
        max_failures: no further host is begun once so many have failed; None: all are tried.
    """

    concurrency: int = 10
    canary: int = 0
    max_failures: int | None = None


@dataclass(slots=True)
class Fleet:
    """Does a job on many hosts; one that fails leaves the others alone.

    Attributes:
        targets: the hosts, in the order in which they are begun.
        job: brings one host to what is wanted; says what goes wrong in what it returns.
        rules: how to go through them.
        finished: is called with each outcome as it is known.
        tracks: how far each host is, in the order of `targets`.
        outcomes: of those that are through.
    """

    targets: Sequence[Target]
    job: Job
    rules: Rules
    finished: Callable[[Outcome], None] = lambda outcome: None
    tracks: list[Track] = field(default_factory=list, init=False)
    outcomes: dict[int, Outcome] = field(default_factory=dict, init=False)
    _why_not: str | None = field(default=None, init=False)
    _running: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.tracks = [Track() for _ in self.targets]

    def stop(self, why: str) -> None:
        """Begin no further host, and hang up on those that are under way."""
        self._why_not = self._why_not or why
        for task in self._running:
            task.cancel()

    async def run(self) -> list[Outcome]:
        """Go through all hosts and return their outcomes, in the order of `targets`."""
        canaries = min(self.rules.canary, len(self.targets))
        if canaries:
            await self._batch(range(canaries))
            if any(not outcome.good for outcome in self.outcomes.values()):
                self._why_not = self._why_not or "a canary failed"
        await self._batch(range(canaries, len(self.targets)))
        return [self.outcomes[index] for index in range(len(self.targets))]

    async def _batch(self, indices: range) -> None:
        turns = asyncio.Semaphore(self.rules.concurrency)
        self._running = {asyncio.ensure_future(self._one(index, turns)) for index in indices}
        if self._running:
            await asyncio.wait(self._running)
        self._running = set()

    async def _one(self, index: int, turns: asyncio.Semaphore) -> None:
        target = self.targets[index]
        try:
            async with turns:
                self._check_failures()
                if self._why_not is None:
                    self._end(index, await self.job(target, self.tracks[index]))
                    return
        except asyncio.CancelledError:
            pass  # before its turn; a job that is cancelled returns what became of it
        except Exception as error:  # a bug met on one host must not take the others along
            logger.debug("%s", target.text, exc_info=True)
            what = f"{target.text}: internal error: {type(error).__name__}: {error}; please report it"
            self._end(index, Outcome(target.text, "failed", what, "internal"))
            return
        self._end(index, Outcome(target.text, "not-tried", self._why_not or "stopped"))

    def _check_failures(self) -> None:
        limit = self.rules.max_failures
        failed = sum(outcome.status == "failed" for outcome in self.outcomes.values())
        if limit is not None and failed >= limit and self._why_not is None:
            self._why_not = f"{failed} failed before"

    def _end(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = outcome
        self.tracks[index].step = outcome.status
        self.finished(outcome)
