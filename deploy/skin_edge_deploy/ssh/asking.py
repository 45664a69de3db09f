"""Questions to the person at the terminal, one at a time whatever the number of hosts.

Answers come from the terminal only, never from stdin, a variable or an option: those end up in logs and
histories. What was answered is kept in memory at most, and never written.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import time
from collections.abc import Callable, Iterator
from typing import Final

from skin_edge.cli.console import visible

TERMINAL: Final = "/dev/tty"
_MAX_ANSWER_BYTES: Final = 4096


class Stopwatch:
    """How long one host has been waiting for a person."""

    def __init__(self) -> None:
        self._sum_s = 0.0
        self._since: float | None = None

    def seconds(self) -> float:
        """Return the seconds so far, a question that is open now included."""
        return self._sum_s + (time.monotonic() - self._since if self._since is not None else 0.0)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count the time that the body takes."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._sum_s, self._since = self.seconds(), None


class Asker:
    """Asks on the terminal, where there is one.

    Args:
        allowed: False asks nothing: every question is answered with None.
        suspended: makes room on the screen while a question stands there.
    """

    def __init__(
        self,
        *,
        allowed: bool = True,
        suspended: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._allowed = allowed
        self._turn = asyncio.Lock()
        self.suspended = suspended

    async def ask(
        self,
        question: str,
        clock: Stopwatch,
        *,
        echo: bool = False,
        known: Callable[[], str | None] | None = None,
    ) -> str | None:
        """Return the answer without its line end; None where nobody can be asked.

        Args:
            question: is shown as it is, without control characters.
            clock: runs while the host waits for its turn and for the answer.
            echo: show what is typed.
            known: asked once it is this question's turn: an answer that was given meanwhile.
        """
        with clock.running():
            async with self._turn:
                answer = known() if known is not None else None
                if answer is not None or not self._allowed:
                    return answer
                try:
                    descriptor = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
                except OSError:
                    return None  # no terminal: run by cron, a service, a pipeline
                try:
                    with self.suspended():
                        shown = "\n".join(visible(line) for line in question.split("\n"))
                        return await _answer(descriptor, shown, echo=echo)
                finally:
                    os.close(descriptor)


async def _answer(descriptor: int, question: str, *, echo: bool) -> str | None:
    before = termios.tcgetattr(descriptor)
    quiet = [*before]
    if not echo:
        quiet[3] &= ~termios.ECHO
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    typed = b""
    try:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, quiet)
        os.write(descriptor, question.encode("utf-8", "replace"))
        loop.add_reader(descriptor, readable.set)
        while not typed.endswith(b"\n") and len(typed) < _MAX_ANSWER_BYTES:
            await readable.wait()
            readable.clear()
            part = os.read(descriptor, _MAX_ANSWER_BYTES)
            if not part:
                return None  # Ctrl-D
            typed += part
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        if not echo:
            os.write(descriptor, b"\n")
    return typed.decode("utf-8", "replace").rstrip("\r\n")
