"""The capture process: one camera, opened, read and closed here, and killed from outside when it hangs.

It imports little (a driver brings what it needs), so that starting it again is quick. It ends with its
parent: the kernel kills it when the thread that started it ends, and so does the closed socket.

    worker -> supervisor   opened (with the shared memory), frame, beat, bad, error, closed
    supervisor -> worker   settings (once), want, close
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from typing import Any, Final

from skin_edge.camera.checks import FrameChecks
from skin_edge.camera.driver import BadFrameError, Driver, DriverSettings, Opened
from skin_edge.camera.drivers import make_driver
from skin_edge.camera.ring import PREVIEWS, SLOTS, Ring, RingLayout, make_ring_memory
from skin_edge.camera.wire import CLOSE, MAX_MESSAGE_BYTES, WANT, send
from skin_edge.errors import CameraError

#: Seconds between previews; more would cost time and nobody would see them.
PREVIEW_PERIOD_S: Final = 0.1

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Run the capture process: `argv` is the socket's descriptor and the parent's process id."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to answer
    channel = socket.socket(fileno=descriptor)
    task = json.loads(channel.recv(MAX_MESSAGE_BYTES) or b"{}")
    if not task:
        return
    settings = task["settings"]
    if settings["colour_gains"] is not None:
        settings["colour_gains"] = tuple(settings["colour_gains"])
    Worker(channel, task["kind"], task["rest"], DriverSettings(**settings)).run()
    os._exit(0)  # the camera is closed; taking numpy and a driver's library apart takes longer than that


def _die_with_parent(parent: int) -> None:
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel knew
        os._exit(1)


class Worker:
    """Reads one camera and offers its newest picture whenever one is wanted.

    Args:
        channel: to the supervisor.
        kind: of driver.
        rest: of the source's text, after the kind.
        settings: for the driver.
    """

    def __init__(self, channel: socket.socket, kind: str, rest: str, settings: DriverSettings) -> None:
        self._channel = channel
        self._settings = settings
        self._driver: Driver = make_driver(kind, rest, settings)
        self._checks = FrameChecks(settings)
        self._wanted = False
        self._offered: int | None = None
        self._number = 0
        self._dropped = 0
        self._withheld = 0
        self._previews = 0
        self._preview_due_s = 0.0

    def run(self) -> None:
        """Open, read until told to close or until the camera fails, close."""
        opened = False
        try:
            granted = self._driver.open()
            opened = True
            ring = self._share(granted)
            while not self._told_to_close():
                self._read(ring)
        except CameraError as error:
            self._say({"type": "error", "code": error.code, "message": str(error), "opened": opened})
        except (BrokenPipeError, ConnectionError):
            pass  # the supervisor is gone, and with it whoever wanted pictures
        except Exception as error:  # noqa: BLE001 - a driver's library may raise anything: report, then end
            message = f"{type(error).__name__}: {error}"
            self._say({"type": "error", "code": "camera-error", "message": message, "opened": opened})
        self._driver.close()
        self._say({"type": "closed"})

    def _share(self, granted: Opened) -> Ring:
        longer = max(granted.width, granted.height)
        every = max(1, -(-longer // self._settings.preview_width))
        layout = RingLayout(
            granted.width, granted.height, -(-granted.width // every), -(-granted.height // every)
        )
        self._every = every
        try:
            memory = make_ring_memory(layout)
        except OSError as error:
            raise CameraError(
                f"{layout.total_bytes / 1e6:.0f} MB of memory for pictures of "
                f"{layout.width}x{layout.height}: {error.strerror}; set a smaller camera.width and height",
                code="camera-memory",
            ) from error
        message = {
            "type": "opened",
            "name": granted.name,
            "notes": list(granted.notes),
            "details": dict(granted.details),
            "layout": [layout.width, layout.height, layout.preview_width, layout.preview_height],
        }
        send(self._channel, message, memory)
        return Ring(memory, layout, writable=True)

    def _read(self, ring: Ring) -> None:
        slot = 0 if self._offered is None else (self._offered + 1) % SLOTS
        out = ring.slots[slot]
        try:
            said = self._driver.read(out)
            at_s, wall_s = time.monotonic(), time.time()
            self._checks.check(out)
        except BadFrameError as error:
            self._withheld += 1
            self._say({"type": "bad", "kind": error.kind, "detail": str(error)})
            return
        self._number += 1
        preview = self._preview(ring, slot, at_s)
        self._hear()
        if not self._wanted:
            self._dropped += 1
            self._say({"type": "beat", "number": self._number, "preview": preview})
            return
        self._wanted = False
        self._offered = slot
        message = {
            "type": "frame", "number": self._number, "slot": slot, "monotonic_s": at_s, "wall_time_s": wall_s,
            "dropped": self._dropped, "withheld": self._withheld, "metadata": dict(said), "preview": preview,
        }  # fmt: skip
        self._dropped = self._withheld = 0
        self._say(message)

    def _preview(self, ring: Ring, slot: int, now_s: float) -> int | None:
        """Refresh the preview where that is due; return the slot of the new one."""
        if now_s < self._preview_due_s:
            return None
        self._preview_due_s = now_s + PREVIEW_PERIOD_S
        at = self._previews % PREVIEWS
        self._previews += 1
        small, target = self._driver.preview(), ring.previews[at]
        if small is None:
            target[:] = ring.slots[slot][:: self._every, :: self._every]
        else:
            rows, columns = min(small.shape[0], target.shape[0]), min(small.shape[1], target.shape[1])
            target[:rows, :columns] = small[:rows, :columns]
        return at

    def _told_to_close(self) -> bool:
        return self._hear() == CLOSE

    def _hear(self) -> bytes | None:
        """Take in what the supervisor said meanwhile; the closing word, or the end, is returned at once."""
        while True:
            try:
                word = self._channel.recv(64, socket.MSG_DONTWAIT | socket.MSG_PEEK)
            except BlockingIOError:
                return None
            if word in (CLOSE, b""):
                return CLOSE  # left in the socket: it is found again
            self._channel.recv(64)
            if word == WANT:
                self._wanted = True

    def _say(self, message: dict[str, Any]) -> None:
        try:
            if not send(self._channel, message) and message["type"] == "frame":
                self._wanted = True  # it was not heard: the next one is offered
        except OSError:
            self._wanted = False  # the supervisor is gone; the next look for its words ends this
