"""One life of a capture process, watched: started, heard, timed, ended. Returns what went wrong."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import select
import threading
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol

from skin_edge.camera import wire
from skin_edge.camera.driver import DriverSettings
from skin_edge.camera.events import FAULT_CODES, EventKind
from skin_edge.camera.process import CaptureProcess
from skin_edge.camera.ring import Ring, RingLayout

log = logging.getLogger(__name__)

#: A camera that sends a bad picture now and then is reported this often for each kind, in seconds.
_TELL_AGAIN_S: Final = 10.0

#: A driver's error that is a fault of its own; any other is `error`.
_CODE_TO_FAULT: Final[dict[str, EventKind]] = {
    "camera-lost": "unplug",
    "camera-missing": "unplug",
    "camera-hang": "hang-read",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What the supervisor puts up with, in seconds.

    Attributes:
        open_s: from the start of the process to the open camera.
        read_s: from one picture, good or bad, to the next.
        close_s: from being told to close to the end of the process.
        bad_s: pictures that are torn, garbage or of a wrong size, and no good one between.
        black_s: black pictures and no other between; None never.
        frozen_s: the same picture and no other between; None never.
    """

    open_s: float
    read_s: float
    close_s: float
    bad_s: float
    black_s: float | None
    frozen_s: float | None

    def bad_limit_s(self, kind: str) -> float | None:
        """Return the limit for one kind of bad picture."""
        return {"black": self.black_s, "frozen": self.frozen_s}.get(kind, self.bad_s)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a life of the capture process ended.

    Attributes:
        kind: a key of `FAULT_CODES`.
        cause: for a person, one line, beginning with the source.
        final: the driver itself refused to open the camera.
        code: of the driver's error, where there is one.
    """

    kind: EventKind
    cause: str
    final: bool = False
    code: str | None = None


class Listener(Protocol):
    """Who hears what the capture process has to say; see `SupervisedSource`."""

    text: str

    def opened(self, name: str, notes: list[str]) -> None: ...
    def offered(self, ring: Ring, message: dict[str, Any]) -> None: ...
    def lives(self, ring: Ring, preview: int | None) -> None: ...
    def report(self, kind: EventKind, cause: str) -> None: ...


class Watch:
    """Runs capture processes one after the other; `run` belongs to one thread, `want` and `stop` to any.

    Args:
        kind: of driver.
        rest: of the source's text.
        settings: for the driver.
        limits: time-outs.
        listener: hears of pictures and events.
    """

    def __init__(
        self, kind: str, rest: str, settings: DriverSettings, limits: Limits, listener: Listener
    ) -> None:
        self._kind = kind
        self._rest = rest
        self._settings = settings
        self._limits = limits
        self._listener = listener
        self._process: CaptureProcess | None = None
        self._lock = threading.Lock()
        self._lingering: list[CaptureProcess] = []
        self._failed_at_s: float | None = None
        self._stopping = threading.Event()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def want(self) -> None:
        """Ask the running process for its next picture; a process that is not open yet is asked later."""
        with self._lock:
            if self._process is not None:
                self._process.say(wire.WANT)

    def stop(self) -> None:
        """Have `run` close the camera and return."""
        self._stopping.set()
        with self._lock:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def run(self, attempt: int) -> Fault | None:
        """Start a capture process and watch it to its end; None where it ended because of `stop`.

        Args:
            attempt: how often it was started before.
        """
        self._lingering = [p for p in self._lingering if not _gone(p)]
        if self._stopping.is_set():
            return None
        since = None if self._failed_at_s is None else time.monotonic() - self._failed_at_s
        settings = dataclasses.replace(self._settings, attempt=attempt, since_fault_s=since)
        try:
            process = CaptureProcess(self._kind, self._rest, settings)
        except OSError as error:
            return Fault("crash", f"{self._listener.text}: cannot start a process: {error.strerror}")
        life = _Life(process, self._limits, self._listener, self._wake)
        try:
            with self._lock:
                self._process = process
            fault = life.run(self._stopping)
        finally:
            with self._lock:
                self._process = None
            closing = self._end(process, politely=life.polite)
        if life.is_open:
            self._failed_at_s = time.monotonic()
        if self._stopping.is_set():
            if closing is not None:
                self._listener.report(closing.kind, closing.cause)
            return None
        if closing is not None and fault is not None and life.polite:
            self._listener.report(closing.kind, closing.cause)
        return fault

    def _end(self, process: CaptureProcess, *, politely: bool) -> Fault | None:
        """End a process; a fault where it had to be forced although it was asked."""
        forced = False
        if politely:
            process.say(wire.CLOSE)
            forced = not process.wait(self._limits.close_s)
        if not process.kill():
            log.warning("process %d does not end even when killed; it hangs in the kernel", process.pid)
            self._lingering.append(process)
        else:
            process.release()
        if not forced:
            return None
        return Fault(
            "hang-close",
            f"{self._listener.text}: hangs in closing, for more than {self._limits.close_s:g} s; killed",
        )

    def release(self) -> None:
        """Close what `run` needs; it must not be called again."""
        with self._lock:
            if self._wake >= 0:
                os.close(self._wake)
                self._wake = -1


def _gone(process: CaptureProcess) -> bool:
    if not process.wait(0.0):
        return False
    process.release()
    return True


class _Life:
    """The watching itself.

    Attributes:
        is_open: the camera was open.
        polite: the process may still listen, so that asking it to close makes sense.
    """

    def __init__(self, process: CaptureProcess, limits: Limits, listener: Listener, wake: int) -> None:
        self._process = process
        self._limits = limits
        self._listener = listener
        self._wake = wake
        self._ring: Ring | None = None
        self._due_s = time.monotonic() + limits.open_s
        self._bad_since_s: float | None = None
        self._told_s: dict[str, float] = {}
        self.is_open = False
        self.polite = True

    def run(self, stopping: threading.Event) -> Fault | None:
        """Hear the process until it fails or `stopping` is set."""
        poll = select.poll()
        for descriptor in (self._process.channel.fileno(), self._process.errors.fileno(), self._wake):
            poll.register(descriptor, select.POLLIN)
        while not stopping.is_set():
            left_s = self._due_s - time.monotonic()
            if left_s <= 0:
                self.polite = False  # it hangs: it will not listen
                return self._hang()
            ready = {descriptor for descriptor, _ in poll.poll(left_s * 1e3 + 1)}
            if self._process.errors.fileno() in ready:
                lines = self._process.drain_errors()
                for line in lines:
                    log.info("capture process: %s", line)
                if not lines and self._process.channel.fileno() not in ready:
                    poll.unregister(self._process.errors.fileno())  # its end: it would be ready for ever
            if self._process.channel.fileno() in ready:
                fault = self._hear()
                if fault is not None:
                    return fault
        return None

    def _hear(self) -> Fault | None:
        while True:
            try:
                heard = self._process.hear()
            except BlockingIOError:
                return None
            except ValueError as error:
                return self._fault("crash", f"the capture process talks nonsense: {error}")
            if heard is None:
                self.polite = False
                return self._fault("crash", self._process.how_it_ended())
            fault = self._take(*heard)
            if fault is not None:
                return fault

    def _take(self, message: dict[str, Any], descriptor: int | None) -> Fault | None:
        kind = message["type"]
        if kind == "opened":
            assert descriptor is not None  # noqa: S101 - ring.py and worker.py are one release
            self._ring = Ring(descriptor, RingLayout(*message["layout"]), writable=False)
            self.is_open = True
            log.info("%s: %s", message["name"], message["details"])
            self._listener.opened(message["name"], message["notes"])
        elif kind == "error":
            return self._refused(message)
        elif self._ring is not None and kind in ("frame", "beat"):
            self._bad_since_s = None
            if kind == "frame":
                self._listener.offered(self._ring, message)
            self._listener.lives(self._ring, message["preview"])
        elif kind == "bad":
            fault = self._count_bad(message["kind"], message["detail"])
            if fault is not None:
                return fault
        self._due_s = time.monotonic() + self._limits.read_s
        return None

    def _count_bad(self, kind: str, detail: str) -> Fault | None:
        now = time.monotonic()
        if self._bad_since_s is None:
            self._bad_since_s = now
        if now - self._told_s.get(kind, -math.inf) >= _TELL_AGAIN_S:
            self._told_s[kind] = now
            self._listener.report("bad-frame", f"{self._listener.text}: {detail}")
        limit_s = self._limits.bad_limit_s(kind)
        if limit_s is None or now - self._bad_since_s < limit_s:
            return None
        return self._fault(kind, f"{detail} (nothing else for {limit_s:g} s)")

    def _refused(self, message: dict[str, Any]) -> Fault:
        code = message["code"]
        kind = _CODE_TO_FAULT.get(code, "error")
        text = f"{self._listener.text}: {message['message']}"
        return Fault(kind, text, final=not message["opened"], code=code)

    def _hang(self) -> Fault:
        if not self.is_open:
            return self._fault("hang-open", f"hangs in opening, for more than {self._limits.open_s:g} s")
        return self._fault(
            "hang-read", f"hangs: no picture for more than {self._limits.read_s:g} s (is it connected well?)"
        )

    def _fault(self, kind: str, cause: str) -> Fault:
        assert kind in FAULT_CODES  # noqa: S101
        return Fault(kind, f"{self._listener.text}: {cause}")  # type: ignore[arg-type]
