"""Where frames come from: one small class a kind, opened from the text that a person writes.

    replay:PATH     an image, a folder of images or a video
    demo, demo:N    drawn lesions, the same for the same N
    picamera2:N, v4l2:N, gst:PIPELINE, auto, fault:KIND
                    cameras, each in a process of its own that is watched and started again

A kind is added by its line in `_KINDS`, a camera by its driver (`drivers/`) and a line in `CAMERA_KINDS`.
"""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol

from skin_edge.errors import CameraError, UsageError
from skin_edge.frame import Frame

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from skin_edge.camera.events import OnEvent
    from skin_edge.sections import CameraConfig

EXAMPLES: Final = "auto, picamera2, v4l2:0, replay:photo.jpg, replay:photos/, replay:clip.avi, demo or demo:7"

#: Kinds of source that are cameras: driven in a process of their own, under supervision.
CAMERA_KINDS: Final = frozenset({"auto", "picamera2", "v4l2", "gst", "fault"})

MAX_FPS: Final = 1000.0


class FrameSource(ABC):
    """A source of frames: a context manager, and an iterator over the frames.

    An error of one picture does not end the iteration: after an ImageError the next call gives the next
    picture. A CameraError does: the source gives no more frames. A subclass implements `_next`, and `_close`
    where it holds something; where its constructor fails half-way it closes what it has opened.

    Attributes:
        text: the source as the user wrote it, for example `replay:photos`.
        live: True for a camera, whose frames pass whether they are read or not; False where each one waits.
    """

    live: bool = False

    def __init__(self, text: str) -> None:
        self.text = text
        self._closed = threading.Event()

    def read(self) -> Frame | None:
        """Return the next frame, waiting for its time; None at the end of a source that has one.

        Raises:
            ImageError: this one picture cannot be used; the next call gives the next one.
            CameraError: the source is broken or closed.
        """
        if self._closed.is_set():
            raise CameraError(f"{self.text}: the source is closed; open it again", code="camera-closed")
        return self._next()

    def preview(self) -> npt.NDArray[np.uint8] | None:
        """Return the newest small picture, (h, w, 3) uint8 RGB, for a live view; None where there is none.

        Cameras have one; it costs no frame.
        """
        return None

    def close(self) -> None:
        """Let go of what the source holds and end any wait in `read`; a second call does nothing."""
        if not self._closed.is_set():
            self._closed.set()
            self._close()

    @abstractmethod
    def _next(self) -> Frame | None:
        """As `read`, on an open source."""

    def _close(self) -> None:  # noqa: B027 - a source that holds nothing has nothing to do
        """Let go of what the source holds; called once."""

    def __enter__(self) -> FrameSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> FrameSource:
        return self

    def __next__(self) -> Frame:
        frame = self.read()
        if frame is None:
            raise StopIteration
        return frame


class Pace:
    """Lets frames through no faster than a rate.

    Whoever is late gets the next frame at once and no burst after it: no frame is dropped.

    Args:
        period_s: seconds from one frame to the next; None does not wait.
        interrupt: ends a wait when set.
    """

    def __init__(self, period_s: float | None, interrupt: threading.Event) -> None:
        self._period_s = period_s
        self._interrupt = interrupt
        self._due_s: float | None = None

    def wait(self) -> None:
        """Return when the next frame is due; the first one is at once."""
        if self._period_s is None:
            return
        now = time.monotonic()
        if self._due_s is not None and now < self._due_s:
            self._interrupt.wait(self._due_s - now)
            now = self._due_s
        self._due_s = now + self._period_s


class _Factory(Protocol):
    def __call__(self, text: str, rest: str, *, fps: float | None, loop: bool) -> FrameSource: ...


def _open_replay(text: str, rest: str, *, fps: float | None, loop: bool) -> FrameSource:
    from skin_edge.camera.replay import open_replay

    return open_replay(text, rest, fps=fps, loop=loop)


def _open_demo(text: str, rest: str, *, fps: float | None, loop: bool) -> FrameSource:
    from skin_edge.camera.demo import DemoSource

    if rest and not (rest.isascii() and rest.isdigit() and len(rest) <= 18):
        raise UsageError(f"source {text!r}: the part after demo: is a whole number from 0 on, as in demo:7")
    return DemoSource(text, seed=int(rest or 0), fps=fps)


#: What opens each kind; imported when it is used, so that naming one kind does not load the others.
_KINDS: Final[dict[str, _Factory]] = {"replay": _open_replay, "demo": _open_demo}


def open_source(
    text: str,
    *,
    fps: float | None = None,
    loop: bool = False,
    camera: CameraConfig | None = None,
    on_event: OnEvent | None = None,
) -> FrameSource:
    """Open a frame source.

    Args:
        text: `auto`, `picamera2[:N]`, `v4l2:N`, `v4l2:/dev/NAME`, `gst:PIPELINE`, `replay:PATH`, `demo`,
            `demo:SEED`, or `fault:KIND` for a camera that fails on purpose.
        fps: frames a second at most; None for the source's own pace.
        loop: begin again at the end; only replayed files have one.
        camera: the settings of a camera; None for the defaults. Other sources have no use for them.
        on_event: told of a camera's faults and recoveries, from another thread.

    Raises:
        UsageError: no such kind, a part missing, or a rate that makes no sense.
        CameraError: the source cannot be opened.
    """
    if fps is not None and not (math.isfinite(fps) and 0 < fps <= MAX_FPS):
        raise UsageError(f"fps {fps}: expected a number above 0 and up to {MAX_FPS:.0f}")
    kind, _, rest = text.partition(":")
    factory: Callable[..., FrameSource] | None = _KINDS.get(kind)
    if factory is not None:
        return factory(text, rest, fps=fps, loop=loop)
    if kind in CAMERA_KINDS:
        from skin_edge.camera.cameras import open_camera

        return open_camera(text, kind, rest, fps=fps, camera=camera, on_event=on_event)
    raise UsageError(f"source {text!r}: no such kind of source; expected one such as {EXAMPLES}")
