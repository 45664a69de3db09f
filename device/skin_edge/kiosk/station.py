"""The one thread that owns camera, model and log: captures when asked, and proves in between that it could.

Everything else in the kiosk asks it or looks at its snapshot, so that preview, hints and captures share one
camera session, and rows are made as the command line makes them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from skin_edge.camera.source import FrameSource, open_source
from skin_edge.camera.taking import take_burst
from skin_edge.config import Config
from skin_edge.errors import CameraError, ImageError, ModelError, SkinEdgeError, StorageError, UsageError
from skin_edge.frame import Frame, QualityReport
from skin_edge.kiosk.camera_keeper import CameraKeeper
from skin_edge.kiosk.requests import BusyError, CaptureRequest
from skin_edge.kiosk.snapshot import CameraState, Look, Snapshot
from skin_edge.kiosk.workbench import Workbench, open_workbench
from skin_edge.model.classifier import Classifier
from skin_edge.quality import assess
from skin_edge.results.record import Machine

if TYPE_CHECKING:
    from skin_edge.camera.events import OnEvent

log = logging.getLogger(__name__)

#: Between two looks at temperature, power, clock and disk.
STATUS_S: Final = 5.0

#: Between two looks at the camera while somebody watches the page: focus and light are to follow a hand.
WATCHED_PROBE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who is told what, in the station's thread unless said otherwise; a call must return soon.

    Attributes:
        changed: there is a new snapshot; from any thread.
        heartbeat: a frame was completed, or a try to get a lost camera back was.
        ended: the thread has ended, for good or with `Station.failure`.
    """

    changed: Callable[[], None] = lambda: None
    heartbeat: Callable[[], None] = lambda: None
    ended: Callable[[], None] = lambda: None


class Station:
    """Captures for whoever asks, one at a time.

    Args:
        settings: of everything; `apply` replaces them later.
        source: as a user writes it.
        load: loads the model; called once, in the station's thread.
        base: the settings without what the page changed, which a new model may not know; None: the same.
        hooks: who is told.
        watched: tells whether somebody looks at the page now.
    """

    def __init__(
        self,
        settings: Config,
        source: str,
        *,
        load: Callable[[], Classifier],
        base: Config | None = None,
        hooks: Hooks | None = None,
        watched: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._load = load
        self._base = base or settings
        self._hooks = hooks or Hooks()
        self._watched = watched
        self._changed = threading.Condition()
        self._request: CaptureRequest | None = None
        self._wanted: Config | None = None
        self._stopping = False
        self._bench: Workbench | None = None
        self._looked: str | None = None  # name of the last frame a capture was made of, where frames wait
        self._probe_due_s = self._selftest_due_s = self._status_due_s = 0.0
        self._opened = threading.Event()
        self.failure: BaseException | None = None
        self.camera = CameraKeeper(
            source, self._open_source, on_change=self._camera_changed, beat=self._hooks.heartbeat
        )
        self._snapshot = Snapshot(camera=self.camera.state, machine=Machine(clock="unknown"))
        # A daemon: a camera that hangs in opening must not keep a service from ending; rows are safe anyway.
        self._thread = threading.Thread(target=self._run, name="station", daemon=True)

    @property
    def snapshot(self) -> Snapshot:
        """The state now; from any thread."""
        return self._snapshot

    @property
    def settings(self) -> Config:
        """The settings in force."""
        return self._settings

    @property
    def bench(self) -> Workbench | None:
        """Model and log, once they are open; only what does not change may be looked at from elsewhere."""
        return self._bench

    def start(self) -> None:
        """Begin; `Hooks.ended` tells where it cannot."""
        self._thread.start()

    def wait_open(self) -> bool:
        """Wait for model and log to be open; False where they cannot be, see `failure`."""
        self._opened.wait()
        return self._bench is not None

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End after the capture that is under way; return whether that came to its end in time.

        A camera that is closed here ends any wait for it.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        request = self._request
        if request is not None:
            request.give_up(CameraError("the service is being stopped; no result was made", code="stopping"))
        if not self._thread.is_alive():
            return True
        self._thread.join(min(timeout_s, 1.0))
        if self._thread.is_alive():
            self.camera.close()
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def capture(self, subject: str | None, site: str | None) -> CaptureRequest:
        """Ask for a capture; its `future` gives the outcome once the row is durable.

        Raises:
            BusyError: one is under way.
            CameraError: the camera is lost at this moment.
        """
        with self._changed:
            if self._request is not None:
                raise BusyError("a capture is under way: wait for its answer")
            state = self.camera.state
            if state.state == "lost":
                raise CameraError(
                    f"no camera at this moment: {state.cause}; it is opened again by itself",
                    code="camera-lost",
                )
            request = CaptureRequest(subject, site, self._settings.kiosk.capture_timeout_s)
            self._request = request
            self._changed.notify_all()
        self._change(busy=True)
        return request

    def apply(self, settings: Config) -> None:
        """Go on with other settings, after what is under way; the camera stays open.

        Where the log cannot be opened with them, that is logged, and the ones before stay in force.
        """
        with self._changed:
            self._wanted = settings
            self._changed.notify_all()

    def expire(self, request: CaptureRequest) -> None:
        """Give up a capture whose frames do not come, so that another can be asked for; from any thread."""
        if request.expire():
            self._clear(request)

    # From here on: the station's thread.

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                stack.callback(self.camera.close)
                self._bench = self._open_bench(self._load())
                stack.callback(self._close_bench)
                self._opened.set()
                self._change(model=self._bench.model)
                self._look_at_machine()
                while not self._stopping:
                    self._turn()
        except BaseException as error:  # noqa: BLE001 - whoever started the thread is told, and ends with it
            self.failure = error
        finally:
            with self._changed:
                self._stopping = True
                self._opened.set()
                request, self._request = self._request, None
            if request is not None:
                request.give_up(CameraError("the service has ended; no result was made", code="stopping"))
            self._hooks.ended()

    def _turn(self) -> None:
        """Do the one thing that is due, or wait for it."""
        request, wanted = self._next_work()
        if wanted is not None:
            self._rearrange(wanted)
        elif not self.camera.is_open:
            if time.monotonic() >= self.camera.due_s and not self._stopping:
                self.camera.open()
        elif request is not None:
            self._serve(request)
        elif time.monotonic() >= self._probe_due_s and not self._stopping:
            self._probe()
        if time.monotonic() >= self._status_due_s:
            self._look_at_machine()

    def _next_work(self) -> tuple[CaptureRequest | None, Config | None]:
        with self._changed:
            due_s = self._probe_due_s if self.camera.is_open else self.camera.due_s
            wait_s = min(due_s, self._status_due_s) - time.monotonic()
            asked = self._request is not None and self.camera.is_open
            if wait_s > 0 and not (asked or self._wanted or self._stopping):
                self._changed.wait(wait_s)
            wanted, self._wanted = self._wanted, None
            return self._request, wanted

    def _serve(self, request: CaptureRequest) -> None:
        """Make one capture, and tell whoever asked for it."""
        assert self._bench is not None  # noqa: S101 - opened before the first turn
        try:
            frames = self._take(request)
            if not request.begin_deciding():
                self._clear(request)
                return
            outcome = self._bench.session.process_burst(frames, subject=request.subject, site=request.site)
        except (ImageError, CameraError, ModelError, StorageError) as error:
            self._clear(request)
            request.fail(error)
            return
        except BaseException as error:
            request.fail(error)
            raise
        quality = outcome.record.quality
        self._classified(QualityReport(quality.reasons, quality.metrics))
        self._clear(request)  # before the answer, which may bring the next request
        request.future.set_result(outcome)

    def _take(self, request: CaptureRequest) -> list[Frame]:
        """Return the frames of a capture: what a camera sees from now on, else what is shown now."""
        assert self._bench is not None  # noqa: S101
        count = self._bench.burst(self.camera.live)
        if self.camera.live:
            return take_burst(self.camera.read, count, since_s=request.begun_s)
        shown = self.camera.newest()
        frames = [] if shown is None or shown.name == self._looked else [shown]
        if len(frames) < count:
            frames += take_burst(self.camera.read, count - len(frames))
        self._looked = frames[-1].name
        return frames

    def _probe(self) -> None:
        """Look at one frame, and now and then classify it, without a row."""
        assert self._bench is not None  # noqa: S101
        period_s = self._settings.kiosk.probe_s
        if self._watched() and self.camera.live:
            period_s = min(period_s, WATCHED_PROBE_S)
        self._probe_due_s = time.monotonic() + period_s
        try:
            frame = self.camera.read()
        except (ImageError, CameraError) as error:
            log.debug("probe: %s", error)
            return
        if time.monotonic() < self._selftest_due_s:
            report = assess(frame.pixels, self._settings.quality)
            self._change(look=Look.of(report, self._settings.quality.min_focus), frame_s=time.monotonic())
            self._hooks.heartbeat()
            return
        quality = self._bench.session.try_out(frame).record.quality
        self._classified(QualityReport(quality.reasons, quality.metrics))

    def _classified(self, report: QualityReport) -> None:
        """Note that a frame went the whole way."""
        now = time.monotonic()
        self._selftest_due_s = now + self._settings.kiosk.selftest_s
        look = Look.of(report, self._settings.quality.min_focus)
        self._change(look=look, frame_s=now, classified_s=now)
        self._hooks.heartbeat()

    def _look_at_machine(self) -> None:
        assert self._bench is not None  # noqa: S101
        self._status_due_s = time.monotonic() + STATUS_S
        free_mb = self._bench.free_mb()
        low = free_mb is not None and free_mb < self._settings.health.warn_free_mb
        self._change(machine=self._bench.monitor(), free_mb=free_mb, disk_low=low)

    def _open_bench(self, classifier: Classifier) -> Workbench:
        try:
            return open_workbench(self._settings, classifier)
        except UsageError as error:
            if self._settings == self._base:
                raise
            log.error("%s; the settings that the page changed are left out until they are changed", error)
            self._settings = self._base
            return open_workbench(self._settings, classifier)

    def _rearrange(self, settings: Config) -> None:
        before = self._bench
        assert before is not None  # noqa: S101
        try:
            self._bench = open_workbench(settings, before.classifier)
        except SkinEdgeError as error:
            log.error("the new settings are not in force: %s", error)
            return
        self._settings = settings
        before.close()
        self._status_due_s = 0.0

    def _close_bench(self) -> None:
        if self._bench is not None:
            self._bench.close()

    def _open_source(self, on_event: OnEvent) -> FrameSource:
        capture = self._settings.capture
        return open_source(
            self.camera.state.name,
            fps=capture.fps,
            loop=True,
            camera=self._settings.camera,
            on_event=on_event,
        )

    # From the station's thread, or that of the camera's supervisor.

    def _camera_changed(self, state: CameraState) -> None:
        if state.state != "lost":
            self._change(camera=state)
            return
        self._change(camera=state, look=Look())
        request = self._request
        if request is not None and request.give_up(
            CameraError(f"the camera was lost: {state.cause}", code="camera-lost")
        ):
            self._clear(request)

    def _clear(self, request: CaptureRequest) -> None:
        with self._changed:
            if self._request is not request:
                return
            self._request = None
        self._change(busy=False)

    def _change(self, **changes: Any) -> None:
        with self._changed:
            self._snapshot = replace(self._snapshot, **changes)
        self._hooks.changed()
