"""The live picture: encoded once per new picture, and only while somebody watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from skin_edge.kiosk.broadcast import Latest

if TYPE_CHECKING:
    from skin_edge.preprocess.rgb import Rgb

_QUALITY: Final = 80


class PreviewFeed:
    """A thread that turns small pictures into JPEGs for everybody who watches.

    Args:
        latest: where they go.
        small: gives the newest small picture with a number, as `CameraKeeper.small`.
        fps: tells how many a second are wanted, at most.
    """

    def __init__(
        self,
        latest: Latest[bytes],
        small: Callable[[], tuple[int, Rgb] | None],
        fps: Callable[[], float],
    ) -> None:
        self._latest = latest
        self._small = small
        self._fps = fps
        self._thread = threading.Thread(target=self._run, name="preview", daemon=True)

    def start(self) -> None:
        """Begin; it ends when `latest` is closed."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        shown, due_s = 0, 0.0
        while not self._latest.closed:
            if not self._latest.wanted.is_set():
                self._latest.forget()
                shown = 0
                self._latest.wanted.wait()
                continue
            due_s = max(time.monotonic(), due_s + 1.0 / self._fps())
            found = self._small()
            if found is None:
                self._latest.forget()
                shown = 0
            elif found[0] == 0 or found[0] != shown:
                shown = found[0]
                self._latest.publish(jpeg(found[1], _QUALITY))
            time.sleep(max(0.0, due_s - time.monotonic()))


def jpeg(rgb: Rgb, quality: int) -> bytes:
    """Return a picture, (h, w, 3) uint8 RGB, as the bytes of a JPEG file."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(data).tobytes()
