"""The supervisor's hold on one capture process: start it, hear it, end it whatever it does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict
from typing import Any, Final

from skin_edge.camera import wire
from skin_edge.camera.driver import DriverSettings

#: Not `-m`: that would put the working directory first on the path, with whatever modules lie in it.
_BOOT: Final = (
    "import sys; sys.path[:] = sys.argv.pop().split(chr(10)); "
    "from skin_edge.camera.worker import main; main()"
)

#: Seconds for the kernel to take a killed process away; one in an uninterruptible driver call stays longer.
_KILL_S: Final = 2.0

_LAST_WORDS: Final = 5


class CaptureProcess:
    """One running capture process.

    Args:
        kind: of driver.
        rest: of the source's text, after the kind.
        settings: for the driver.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, kind: str, rest: str, settings: DriverSettings) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = "\n".join(p or os.getcwd() for p in sys.path if "\n" not in p)  # noqa: PTH109 - as sys.path has it
        command = [sys.executable, "-c", _BOOT, str(theirs.fileno()), str(os.getpid()), path]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # the terminal's Ctrl-C is not for it
            )
        except BaseException:
            self.channel.close()
            raise
        finally:
            theirs.close()
        assert self._process.stderr is not None  # noqa: S101 - asked for above
        self.errors = self._process.stderr
        os.set_blocking(self.errors.fileno(), False)
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        wire.send(self.channel, {"kind": kind, "rest": rest, "settings": asdict(settings)})

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def say(self, word: bytes) -> None:
        """Send one of the supervisor's words; a process that is gone does not hear it."""
        try:
            self.channel.send(word, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return

    def hear(self) -> tuple[dict[str, Any], int | None] | None:
        """As `wire.receive`."""
        return wire.receive(self.channel)

    def drain_errors(self) -> list[str]:
        """Return the lines that the process has written to stderr since the last call."""
        try:
            data = os.read(self.errors.fileno(), 65_536)
        except (BlockingIOError, ValueError):
            return []
        lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
        self._last_words.extend(lines)
        return lines

    def how_it_ended(self) -> str:
        """Say in one line how a process that closed its socket ended, with its last line on stderr."""
        try:
            status = self._process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            return "the capture process closed its socket and hangs"
        while self.drain_errors():
            pass
        if status < 0:
            how = f"the capture process was ended by {signal.Signals(-status).name}"
        else:
            how = f"the capture process ended with status {status}"
        return f"{how}: {self._last_words[-1]}" if self._last_words else how

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end; False where it has not ended in time. What it says meanwhile is thrown away."""
        until = time.monotonic() + timeout_s
        while True:
            self.drain_errors()  # a full pipe would keep it from ending
            try:
                self._process.wait(min(0.05, max(0.0, until - time.monotonic())))
            except subprocess.TimeoutExpired:
                if time.monotonic() >= until:
                    return False
            else:
                return True

    def kill(self) -> bool:
        """End it by force; False where the kernel cannot (it hangs in a driver): `wait` again later."""
        self._process.kill()
        return self.wait(_KILL_S)

    def release(self) -> None:
        """Close the descriptors of this side."""
        self.channel.close()
        self.errors.close()
