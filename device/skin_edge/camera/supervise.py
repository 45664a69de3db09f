"""A camera that may hang, crash, vanish or lie, as a FrameSource that recovers or says why it cannot.

The camera runs in a process of its own (`worker.py`). A thread here starts it, watches it against time-outs,
ends it, and starts it again with back-off as long as the restart budget lasts; it watches whether or not
anybody reads. `read` asks for the newest picture, waits for it, and copies it out of the shared memory.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from skin_edge.camera.budget import RestartBudget
from skin_edge.camera.driver import DriverSettings, Rgb
from skin_edge.camera.events import FAULT_CODES, CameraEvent, EventKind, OnEvent
from skin_edge.camera.ring import Ring
from skin_edge.camera.source import FrameSource, Pace
from skin_edge.camera.watch import Limits, Watch
from skin_edge.errors import CameraError
from skin_edge.frame import Frame

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    """A picture in shared memory that the capture process leaves alone until the next is asked for."""

    ring: Ring
    message: dict[str, Any]


class SupervisedSource(FrameSource):
    """A camera in a capture process of its own.

    The constructor returns when the camera is open. A picture handed out is a copy and stays valid; the
    newest counts, and what nobody asked for is dropped and counted: `Frame.metadata["dropped"]` is the number
    since the picture before, `withheld` how many more were black, torn and so on, `restarts` how often the
    camera was started again so far.

    Args:
        text: the source as the user wrote it.
        kind: of driver.
        rest: of the text, after the kind.
        settings: for the driver.
        limits: time-outs.
        budget: restarts.
        fps: pictures a second at most; None hands out every one that is asked for.
        on_event: told of every fault and recovery, from the supervisor's thread.

    Raises:
        CameraError: the camera cannot be opened, or the restarts are used up before it could be.
    """

    live = True

    def __init__(
        self,
        text: str,
        kind: str,
        rest: str,
        *,
        settings: DriverSettings,
        limits: Limits,
        budget: RestartBudget,
        fps: float | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        super().__init__(text)
        self._on_event = on_event
        self._budget = budget
        self._pace = Pace(None if fps is None else 1.0 / fps, self._closed)
        self._changed = threading.Condition()
        self._opened = False  # ever
        self._live = False  # now
        self._error: CameraError | None = None
        self._wanted = False
        self._asked = False
        self._offer: _Offer | None = None
        self._preview: tuple[Ring, int] | None = None
        self._faulty = False
        self.restarts = 0
        self._watch = Watch(kind, rest, settings, limits, self)
        # A daemon: whoever forgets to close the source must still be able to end.
        self._thread = threading.Thread(target=self._supervise, name=f"camera {text}", daemon=True)
        self._thread.start()
        try:
            self._wait_until(lambda: self._opened or None)
        except BaseException:
            self.close()
            raise

    def preview(self) -> Rgb | None:
        """Return a copy of the newest small picture, (h, w, 3) uint8 RGB; None before the first.

        At most a tenth of a second old while the camera runs; asking costs the camera nothing.
        """
        with self._changed:
            newest = self._preview
        if newest is None:
            return None
        ring, at = newest
        small: Rgb = ring.previews[at].copy()
        return small

    def _next(self) -> Frame:
        self._pace.wait()
        with self._changed:
            self._offer = None  # left over where Ctrl-C ended an earlier read
            self._wanted = True
            self._ask()
        offer = self._wait_until(self._take)
        message = offer.message
        pixels = offer.ring.slots[message["slot"]].copy()
        metadata = {
            **message["metadata"],
            "dropped": str(message["dropped"]),
            "withheld": str(message["withheld"]),
            "restarts": str(self.restarts),
        }
        return Frame(
            pixels=pixels,
            name=f"{self.text}#{message['number']}",
            source=self.text,
            monotonic_s=message["monotonic_s"],
            wall_time_s=message["wall_time_s"],
            metadata=metadata,
        )

    def _ask(self) -> None:
        """Ask for a picture once: a second request would have the first one's memory written again."""
        if self._wanted and self._live and not self._asked:
            self._asked = True
            self._watch.want()

    def _take(self) -> _Offer | None:
        offer, self._offer = self._offer, None
        return offer

    def _wait_until(self, ready: Callable[[], T | None]) -> T:
        """Wait for `ready()` to be true; Ctrl-C, `close` and the end of the camera end the wait."""
        with self._changed:
            while True:
                result = ready()
                if result is not None:
                    return result
                if self._error is not None:
                    raise self._error
                if self._closed.is_set():
                    raise CameraError(f"{self.text}: the source was closed meanwhile", code="camera-closed")
                self._changed.wait()

    def _close(self) -> None:
        self._watch.stop()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self._offer = self._preview = None

    # What the watch reports, in the supervisor's thread.

    def opened(self, name: str, notes: list[str]) -> None:
        """The camera is open."""
        self.report("opened", f"{self.text}: {name} is open")
        for note in notes:
            self.report("note", f"{self.text}: {note}")
        with self._changed:
            self._opened = self._live = True
            self._asked = False
            self._ask()
            self._changed.notify_all()

    def offered(self, ring: Ring, message: dict[str, Any]) -> None:
        """A picture that was wanted is there."""
        with self._changed:
            self._wanted = self._asked = False
            self._offer = _Offer(ring, message)
            self._changed.notify_all()

    def lives(self, ring: Ring, preview: int | None) -> None:
        """A good picture was taken, wanted or not."""
        if preview is not None:
            with self._changed:
                self._preview = (ring, preview)
        if self._faulty:
            self._faulty = False
            self.report("recovered", f"{self.text}: pictures again after {self.restarts} restarts")

    def report(self, kind: EventKind, cause: str, *, final: bool = False) -> None:
        """Tell whoever asked to be told, and the log: as a warning where nobody else would hear it."""
        heard = self._on_event is not None or kind in ("opened", "recovered", "gave-up")
        level = logging.INFO if heard or final else logging.WARNING
        log.log(level, "%s: %s", kind, cause)
        if self._on_event is not None:
            try:
                self._on_event(CameraEvent(kind, cause, self.restarts))
            except Exception:
                log.exception("on_event failed")

    def _supervise(self) -> None:
        try:
            self._error = self._run()
        except Exception as error:
            log.exception("the supervisor failed")
            self._error = CameraError(f"{self.text}: internal error: {error!r}", code="camera")
        finally:
            self._watch.release()
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> CameraError | None:
        """Start the camera again and again; return why there is an end to it, None where it was closed."""
        while True:
            fault = self._watch.run(self.restarts)
            if fault is None:
                return None
            with self._changed:
                self._live = False
            self._faulty = True
            final = fault.final and not self._opened
            self.report(fault.kind, fault.cause, final=final)  # a final one is raised besides
            if final:
                return CameraError(fault.cause, code=fault.code or FAULT_CODES[fault.kind])
            wait_s = self._budget.spend(time.monotonic())
            if wait_s is None:
                cause = f"{fault.cause}; gave up after {self.restarts} restarts"
                self.report("gave-up", cause)
                return CameraError(cause, code=FAULT_CODES[fault.kind])
            self.restarts += 1
            self.report("restart", f"{self.text}: starts again in {wait_s:.1f} s, restart {self.restarts}")
            if self._closed.wait(wait_s):
                return None
