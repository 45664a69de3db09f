"""A frame source that is opened again for ever: a kiosk waits for its camera, it does not end without it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from skin_edge.camera.events import FAULT_CODES, CameraEvent
from skin_edge.camera.source import FrameSource
from skin_edge.errors import CameraError, UsageError
from skin_edge.frame import Frame
from skin_edge.kiosk.snapshot import CameraState

if TYPE_CHECKING:
    from skin_edge.camera.events import OnEvent
    from skin_edge.preprocess.rgb import Rgb

log = logging.getLogger(__name__)

#: Seconds before the next try to open the source: doubled with each, and at most the second.
FIRST_WAIT_S: Final = 1.0
MOST_WAIT_S: Final = 15.0

#: Longer side of the small picture of a source that has none of its own, in pixels.
_SMALL_PX: Final = 640


class CameraKeeper:
    """Opens a source, reads it, and opens it again when it ends.

    A camera's own supervisor restarts it within a budget first. `open`, `read` and `close` belong to one
    thread; `small` to one other.

    Args:
        text: the source as the user wrote it.
        opener: opens it; its argument is told what happens to a camera.
        on_change: told how the camera is, from this thread or the supervisor's.
        beat: called when a try to get the camera back is completed, while this thread waits for it.
    """

    def __init__(
        self,
        text: str,
        opener: Callable[[OnEvent], FrameSource],
        *,
        on_change: Callable[[CameraState], None],
        beat: Callable[[], None],
    ) -> None:
        self._text = text
        self._opener = opener
        self._on_change = on_change
        self._beat = beat
        self._lock = threading.Lock()
        self._state = CameraState("opening", None, text)
        self._source: FrameSource | None = None
        self._frame: Frame | None = None
        self._number = 0
        self._small: tuple[int, Rgb] | None = None
        self._waiting = False
        self._due_s = 0.0
        self._wait_s = FIRST_WAIT_S
        self.restarts = 0  #: by the supervisors of the source so far

    @property
    def state(self) -> CameraState:
        """How the camera is."""
        return self._state

    @property
    def is_open(self) -> bool:
        """True where frames can be asked for."""
        return self._source is not None

    @property
    def due_s(self) -> float:
        """When to try to open it next, on the monotonic clock."""
        return self._due_s

    @property
    def live(self) -> bool:
        """True for a camera, False for files and drawings; of an open source."""
        return self._source is not None and self._source.live

    def open(self) -> bool:
        """Try once to open the source; return whether it is open. A failure says when to try next.

        Raises:
            UsageError: the source's text makes no sense, which no further try will change.
        """
        self._waiting = True
        try:
            source = self._opener(self._heard)
        except UsageError:
            raise
        except CameraError as error:
            self._lose(str(error))
            self._beat()
            return False
        finally:
            self._waiting = False
        with self._lock:
            self._source = source
        return True

    def read(self) -> Frame:
        """Return the next frame.

        Raises:
            ImageError: this one picture cannot be used.
            CameraError: the source has ended; it is closed and to be opened again.
        """
        source = self._source
        if source is None:
            raise CameraError(self._state.cause or f"{self._text}: not open yet", code="camera-lost")
        self._waiting = True
        try:
            frame = source.read()
            if frame is None:
                raise CameraError(f"{self._text}: there are no more pictures", code="camera-ended")
        except CameraError as error:
            self._lose(str(error))
            self._beat()
            raise
        finally:
            self._waiting = False
        self._wait_s = FIRST_WAIT_S
        with self._lock:
            self._frame = frame
            self._number += 1
        self._change("ok", None)
        return frame

    def newest(self) -> Frame | None:
        """Return the frame that was read last; None before the first."""
        return self._frame

    def small(self) -> tuple[int, Rgb] | None:
        """Return the newest small picture, (h, w, 3) uint8 RGB, with a number that names the frame.

        None where there is none: the camera is lost, or has not given one yet. A camera's own small pictures
        are all called 0.
        """
        with self._lock:
            source, frame, number = self._source, self._frame, self._number
        if source is None or self._state.state == "lost":
            return None
        picture = source.preview()
        if picture is not None:
            return 0, picture
        if frame is None:
            return None
        if self._small is None or self._small[0] != number:
            self._small = number, downscaled(frame.pixels, _SMALL_PX)
        return self._small

    def close(self) -> None:
        """Let go of the source; a second call does nothing."""
        with self._lock:
            source, self._source, self._frame = self._source, None, None
        if source is not None:
            source.close()

    def _lose(self, cause: str) -> None:
        self.close()
        self._due_s = time.monotonic() + self._wait_s
        self._wait_s = min(MOST_WAIT_S, 2 * self._wait_s)
        self._change("lost", cause)

    def _heard(self, event: CameraEvent) -> None:
        """Take note of what the supervisor says, in its thread."""
        if event.kind in FAULT_CODES:
            self._change("lost", event.cause)
        elif event.kind == "recovered":
            self._change("ok", None)
        elif event.kind == "restart":
            self.restarts += 1
            log.warning("camera: %s", event.cause)
        # Only while this thread waits for the camera and for nothing else: a hang anywhere else must be seen.
        if self._waiting:
            self._beat()

    def _change(self, state: str, cause: str | None) -> None:
        new = CameraState(state, cause, self._text)  # type: ignore[arg-type]
        if new == self._state:
            return
        if new.state != self._state.state:
            log.log(logging.WARNING if state == "lost" else logging.INFO, "camera %s: %s", state, cause or "")
        self._state = new
        self._on_change(new)


def downscaled(rgb: Rgb, longest_px: int) -> Rgb:
    """Return a picture whose longer side is at most `longest_px`, (h, w, 3) uint8 RGB."""
    height, width = rgb.shape[:2]
    factor = longest_px / max(height, width)
    if factor >= 1.0:
        return rgb
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_AREA), np.uint8)
