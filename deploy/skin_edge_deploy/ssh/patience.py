"""A time-out that does not run while a person is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from skin_edge_deploy.errors import HostError
from skin_edge_deploy.ssh.asking import Stopwatch

T = TypeVar("T")


async def within(
    seconds: float, doing: str, work: Coroutine[Any, Any, T], asked: Stopwatch | None = None
) -> T:
    """Return what `work` returns, if it does so in `seconds` beyond the time for which a person was asked.

    Args:
        seconds: patience.
        doing: what for, as the error says it.
        work: is cancelled when its time is over.
        asked: how long a person has been asked for the sake of this work.

    Raises:
        HostError: it took longer (``timeout``).
    """
    task = asyncio.ensure_future(work)
    until = time.monotonic() + seconds - (asked.seconds() if asked is not None else 0.0)
    try:
        while True:
            left = until + (asked.seconds() if asked is not None else 0.0) - time.monotonic()
            if left <= 0:
                raise HostError(f"{doing}: nothing came of it in {seconds:g} s", code="timeout")
            done, _ = await asyncio.wait({task}, timeout=left)
            if done:
                return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
