"""A capture for each line on standard input: the Enter key, or another program that writes lines."""

from __future__ import annotations

import os
import select
import sys
from typing import Final

from skin_edge.errors import UsageError
from skin_edge.triggers.base import Signal, Trigger

_MAX_BYTES: Final = 4096


class EnterTrigger(Trigger):
    """Fires once a line; ends with the input: Ctrl-D, or the end of a pipe. Ctrl-C stays an interrupt.

    Lines that come while a capture is under way are kept, one capture each.

    Args:
        descriptor: a file descriptor to read lines from; None for standard input.

    Raises:
        UsageError: standard input is closed.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            try:
                descriptor = sys.__stdin__.fileno() if sys.__stdin__ is not None else -1
                os.fstat(descriptor)
            except (OSError, ValueError):
                raise UsageError(
                    "--trigger enter reads lines from standard input, which is closed; "
                    "use --interval or --trigger gpio:PIN"
                ) from None
        self._descriptor = descriptor
        self._lines = 0
        self._ended = False

    def wait(self, timeout_s: float | None) -> Signal:
        """As `Trigger.wait`."""
        if not self._lines and not self._ended:
            # Not through sys.stdin: what a buffered reader has read ahead, select does not see.
            ready, _, _ = select.select([self._descriptor], [], [], timeout_s)
            if not ready:
                return Signal.NOTHING
            self._read()
        if self._lines:
            self._lines -= 1
            return Signal.FIRED
        return Signal.ENDED if self._ended else Signal.NOTHING

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _MAX_BYTES)
        except BlockingIOError:
            return
        except OSError:  # the terminal has gone away
            data = b""
        self._ended = not data
        self._lines += data.count(b"\n")
