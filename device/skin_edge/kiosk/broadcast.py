"""The newest value for everybody who watches: no queue, so that a slow watcher holds nobody up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class FullError(Exception):
    """There are as many watchers as are allowed."""


@dataclass(frozen=True, slots=True)
class Issue(Generic[T]):
    """A value, and how many there were before it: a gap between two is what a watcher missed."""

    number: int
    value: T


class Latest(Generic[T]):
    """Hands the newest value to any number of watchers of one event loop.

    Args:
        loop: the watchers'.
        most: watchers at once.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._loop = loop
        self._most = most
        self._lock = threading.Lock()
        self._issue: Issue[T] | None = None
        self._number = 0
        self._news = asyncio.Event()
        self._closed = False
        self._watchers = 0
        self.wanted = threading.Event()

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return self._watchers

    @property
    def closed(self) -> bool:
        """True where there will be no more news."""
        return self._closed

    def publish(self, value: T) -> None:
        """Replace the value, from any thread; watchers who have not taken the one before never will."""
        with self._lock:
            self._number += 1
            self._issue = Issue(self._number, value)
        try:
            self._loop.call_soon_threadsafe(self._turn)
        except RuntimeError:  # the loop has ended meanwhile; nobody is left to be told
            return

    def forget(self) -> None:
        """Drop the value, so that nobody who comes now is shown something old; from any thread."""
        with self._lock:
            self._issue = None

    def close(self) -> None:
        """Wake everybody for the last time; in the loop's thread."""
        self._closed = True
        self.wanted.set()  # whoever waits for watchers is to look up and see the end
        self._news.set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count as a watcher; in the loop's thread.

        Raises:
            FullError: there are enough.
        """
        if self._watchers >= self._most:
            raise FullError
        self._watchers += 1
        self.wanted.set()
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers and not self._closed:
                self.wanted.clear()

    async def after(self, number: int, timeout_s: float) -> Issue[T] | None:
        """Return the newest value with a number above `number`, waiting for one.

        None where the time is over, or there will be no more.
        """
        deadline = self._loop.time() + timeout_s
        while not self._closed:
            with self._lock:
                issue, news = self._issue, self._news
            if issue is not None and issue.number > number:
                return issue
            try:
                await asyncio.wait_for(news.wait(), deadline - self._loop.time())
            except asyncio.TimeoutError:
                return None
        return None

    def _turn(self) -> None:
        if not self._closed:
            self._news.set()
            self._news = asyncio.Event()
