"""A command that runs in the machine, with what it prints as it prints it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import IO

from machine import Machine


class Following:
    """A started command whose lines are kept with the moment at which they came.

    Args:
        machine: where it runs.
        command: one line for root's shell.

    Attributes:
        out, err: the lines so far, each with this host's monotonic clock in seconds.
    """

    def __init__(self, machine: Machine, command: str) -> None:
        self._machine = machine
        # With the shell's process id first, which exec hands on to the command.
        self._process = machine.start(f"echo $$; exec {command}")
        self.out: list[tuple[float, str]] = []
        self.err: list[tuple[float, str]] = []
        self._arrivals: queue.SimpleQueue[None] = queue.SimpleQueue()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.pid = int(self._process.stdout.readline())
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self._process.stdout, self.out), (self._process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def running(self) -> bool:
        """Whether the command has not ended yet."""
        return self._process.poll() is None

    def wait_for(self, what: str, condition: Callable[[], bool], timeout_s: float) -> float:
        """Wait until `condition()` holds, and return how many seconds that took.

        Raises:
            AssertionError: it did not, or the command ended; says what the command had printed.
        """
        started = time.monotonic()
        while not condition():
            waited = time.monotonic() - started
            ended = not self.running
            if (ended and not condition()) or waited > timeout_s:
                how = f"it ended with {self._process.returncode}" if ended else f"{waited:.0f} s went by"
                raise AssertionError(f"no {what}: {how}\n{self.said()}")
            try:
                self._arrivals.get(timeout=0.2)
            except queue.Empty:
                continue
        return time.monotonic() - started

    def interrupt(self, timeout_s: float = 60.0) -> int:
        """Send Ctrl-C and return the exit status."""
        self._machine.ssh(f"kill -INT {self.pid}")
        return self.end(timeout_s)

    def end(self, timeout_s: float) -> int:
        """Wait for the end and return the exit status."""
        status = self._process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return status

    def said(self) -> str:
        """Return all it has printed to stderr, and how many lines to stdout."""
        return "\n".join(line for _, line in self.err) + f"\n({len(self.out)} lines on stdout)"

    def _read(self, stream: IO[str], lines: list[tuple[float, str]]) -> None:
        for line in stream:
            lines.append((time.monotonic(), line.rstrip("\n")))
            self._arrivals.put(None)
