"""A network that fails: passes bytes on to a host, so many, and then hangs up."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence


class Cutter:
    """Listens on loopback and passes everything on to `port`; so many bytes, then cuts both ends.

    Attributes:
        port: to connect to.
        left: bytes that still go to the host; None: no limit.
        passed: bytes that went to it.
        silent: at the limit, keep the connections and pass nothing more, as a cable that was pulled out.
    """

    def __init__(self, port: int, left: int | None = None, *, silent: bool = False) -> None:
        self._to = port
        self.left, self.silent, self.passed = left, silent, 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and cut what is connected."""
        self._listener.close()
        self._cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(16_384):
                if counted and self.left is not None:
                    data = data[: self.left]
                    self.left -= len(data)
                sink.sendall(data)
                self.passed += len(data) if counted else 0
                if counted and self.left == 0:
                    if self.silent:
                        return
                    break
        self._cut()

    def _cut(self) -> None:
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def wait_until(true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait until `true()` holds; fails where it does not in time."""
    until = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def interrupt_upload(
    command: Sequence[str], env: Mapping[str, str], stuck: Cutter, timeout_s: float = 30.0
) -> None:
    """Press Ctrl-C once an upload is stuck: it ends with 130, and says where it was and how to go on."""
    with subprocess.Popen(command, env=env, stdout=-1, stderr=-1, text=True) as process:
        wait_until(lambda: stuck.left == 0, timeout_s)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command again goes on" in err
    assert "interrupted while uploading" in out
    assert "Traceback" not in err
