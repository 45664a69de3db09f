"""A capture that somebody waits for, which either becomes a row or is given up, never both."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Final

from skin_edge.errors import CameraError, SkinEdgeError
from skin_edge.session import Outcome


class BusyError(SkinEdgeError):
    """A capture is under way already."""

    code = "busy"


class CaptureRequest:
    """One capture: waiting for its frames, then being decided, then done.

    Whoever waits may give it up until the station begins to decide; from then on there will be a row, and the
    answer is waited for.

    Args:
        subject: pseudonym of the person.
        site: where on the body.
        timeout_s: seconds for its frames.
    """

    def __init__(self, subject: str | None, site: str | None, timeout_s: float) -> None:
        self.subject: Final = subject
        self.site: Final = site
        self.timeout_s: Final = timeout_s
        self.begun_s: Final = time.monotonic()
        self.future: Final[Future[Outcome]] = Future()
        # Whoever waits and is cancelled must not take the answer from under the station's hands.
        self.future.set_running_or_notify_cancel()
        self._lock = threading.Lock()
        self._settled = False

    def begin_deciding(self) -> bool:
        """Say that a row comes of it now; False where it was given up meanwhile."""
        with self._lock:
            given_up = self._settled
            self._settled = True
            return not given_up

    def give_up(self, error: SkinEdgeError) -> bool:
        """End it with an error and without a row; False where it is too late for that."""
        with self._lock:
            if self._settled:
                return False
            self._settled = True
            self.future.set_exception(error)
        return True

    def fail(self, error: BaseException) -> None:
        """End it with an error, unless it was given up before."""
        with self._lock:
            self._settled = True
            if not self.future.done():
                self.future.set_exception(error)

    def expire(self) -> bool:
        """Give it up because its frames do not come; False where it is too late for that."""
        return self.give_up(
            CameraError(
                f"no frame for this capture within {self.timeout_s:g} s; check the camera, and try again",
                code="camera-timeout",
            )
        )
