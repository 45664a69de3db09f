"""What the service tells systemd: ready, alive, what it is doing, ending; sd_notify(3) in a datagram.

`beat` is for a completed piece of work, never for a timer: a process that hangs must be seen to hang.
"""

from __future__ import annotations

import contextlib
import os
import socket
from types import TracebackType
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"
#: systemd shows a status in one line of `systemctl status`.
MAX_STATUS: Final = 200


class Notifier:
    """Sends states to the service manager; without one it does nothing, and costs nothing.

    Args:
        address: of the manager's datagram socket: a path, or ``@NAME`` in the abstract name space; None:
            nobody is to be told.

    Raises:
        ValueError: `address` is neither.
    """

    def __init__(self, address: str | None) -> None:
        self._socket: socket.socket | None = None
        self._address: str | bytes = ""
        if not address:
            return
        if not address.startswith(("/", "@")):
            raise ValueError(f"{VARIABLE}={address}: neither an absolute path nor an abstract name")
        self._address = address if address[0] == "/" else b"\0" + os.fsencode(address[1:])
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        # A manager that does not read must not hang the one that proves that it does not hang.
        self._socket.setblocking(False)

    @classmethod
    def from_environment(cls) -> Notifier:
        """Return one for `$NOTIFY_SOCKET`, which is taken out, so that no child speaks for the service.

        Raises:
            ValueError: the variable is set to what is no address.
        """
        return cls(os.environ.pop(VARIABLE, None))

    def __enter__(self) -> Notifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def listening(self) -> bool:
        """Whether there is somebody to tell."""
        return self._socket is not None

    def ready(self) -> None:
        """Start-up is done."""
        self._send("READY=1")

    def beat(self) -> None:
        """A frame was completed: the watchdog starts to count anew."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in one line what is going on; `systemctl status` shows it."""
        self._send(f"STATUS={' '.join(text.split())[:MAX_STATUS]}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Close the socket; what is told afterwards goes nowhere."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, state: str) -> None:
        if self._socket is None:
            return
        # Lost where the manager is gone or its buffer full: it hears the next one, or restarts us, rightly.
        with contextlib.suppress(OSError):
            self._socket.sendto(state.encode("utf-8", "replace"), self._address)
