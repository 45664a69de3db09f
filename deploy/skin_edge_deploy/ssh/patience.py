"""A time-out that does not run while a person is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from skin_edge_deploy.errors import HostError
from skin_edge_deploy.ssh.asking import Stopwatch

T = TypeVar("T")


async def within(
    seconds: float,
    doing: str,
    work: Coroutine[Any, Any, T],
    *,
    asked: Stopwatch | None = None,
    cut: Callable[[], None] = lambda: None,
    moved: Callable[[], object] = lambda: None,
) -> T:
    """Return what `work` returns, if it does so in `seconds` beyond the time for which a person was asked.

    Args:
        seconds: patience.
        doing: what for, as the error says it.
        work: is cancelled when its time is over.
        asked: how long a person has been asked for the sake of this work.
        cut: is called before the work is cancelled: without a connection its farewell waits for nobody.
        moved: each time it gives another value, patience begins anew.

    Raises:
        HostError: it took longer (``timeout``).
    """
    task = asyncio.ensure_future(work)
    clock = asked or Stopwatch()
    began, before, at = time.monotonic(), clock.seconds(), moved()
    try:
        while True:
            left = began + seconds + clock.seconds() - before - time.monotonic()
            if left <= 0 and moved() == at:
                raise HostError(f"{doing}: nothing came of it in {seconds:g} s", code="timeout")
            if left <= 0:
                began, before, at = time.monotonic(), clock.seconds(), moved()
                continue
            done, _ = await asyncio.wait({task}, timeout=left)
            if done:
                return task.result()
    finally:
        if not task.done():
            cut()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
