"""A person at a terminal: runs a command in a pseudo-terminal and types when it is asked something."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Session:
    """A command under way."""

    process: int
    master: int
    said: str = ""
    _seen: int = field(default=0)

    def wait_for(self, text: str, timeout_s: float = 60.0) -> None:
        """Read on until `text` was said after what was waited for before."""
        until = time.monotonic() + timeout_s
        while text not in self.said[self._seen :]:
            assert time.monotonic() < until, f"{text!r} was not said: {self.said!r}"
            assert self._read(0.5), f"{text!r} was not said: {self.said!r}"
        self._seen = self.said.index(text, self._seen) + len(text)

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self.master, f"{text}\n".encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.write(self.master, b"\x03")

    def end(self, timeout_s: float = 120.0) -> int:
        """Read to the end and return the exit status."""
        until = time.monotonic() + timeout_s
        while self._read(0.5):
            if time.monotonic() > until:
                os.kill(self.process, signal.SIGKILL)
                raise AssertionError(f"it does not end: {self.said!r}")
        _, status = os.waitpid(self.process, 0)
        return os.waitstatus_to_exitcode(status)

    def _read(self, timeout_s: float) -> bool:
        """Read what is there; False once nobody will say anything more."""
        if not select.select([self.master], [], [], timeout_s)[0]:
            return True
        try:
            part = os.read(self.master, 65_536)
        except OSError:
            return False
        self.said += part.decode("utf-8", "replace")
        return bool(part)


def at_terminal(command: Sequence[str], env: Mapping[str, str], cwd: Path) -> Session:
    """Start `command` at a terminal of its own."""
    process, master = pty.fork()
    if process == 0:
        os.chdir(cwd)
        os.execvpe(command[0], list(command), dict(env))
    return Session(process, master)
