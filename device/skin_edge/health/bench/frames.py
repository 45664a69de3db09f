"""The frames that are measured: a drawn lesion, or those of a source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice

import cv2
import numpy as np

from skin_edge.camera.drawing import draw
from skin_edge.camera.source import MAX_FPS, FrameSource, open_source
from skin_edge.errors import CameraError, ImageError
from skin_edge.frame import Frame

#: What most cameras give.
DEFAULT_SIZE = (1920, 1080)
DRAWN = "drawn lesion"
#: A picture of 1920 x 1080 is 6 MB: a few differ enough.
_DRAWN_FRAMES = 4
_MAX_UNUSABLE = 100


@contextmanager
def frames_from(source: str | None, size: tuple[int, int] | None) -> Iterator[Iterator[Frame]]:
    """Give an endless iterator over frames.

    Args:
        source: what `capture --source` takes, begun again at its end; None draws lesions in advance.
        size: (width, height) in pixels; None leaves a source's frames as they are, and draws `DEFAULT_SIZE`.

    Raises:
        UsageError: no such source.
        CameraError: the source gives no frame.
    """
    with ExitStack() as stack:
        if source is None:
            drawn = [_sized(_draw(n), size or DEFAULT_SIZE) for n in range(_DRAWN_FRAMES)]
            yield cycle(drawn)
            return
        # Files and drawings have a pace for people to watch; a camera has its own.
        paced = source.partition(":")[0] in ("demo", "replay")
        frames = stack.enter_context(open_source(source, fps=MAX_FPS if paced else None, loop=True))
        yield (_sized(frame, size) for frame in _usable(frames))


def take(frames: Iterator[Frame], count: int) -> list[Frame]:
    """Return the first `count` frames."""
    return list(islice(frames, count))


def _draw(number: int) -> Frame:
    return Frame(draw(0, number).pixels, name=f"drawn#{number}", source=DRAWN)


def _usable(frames: FrameSource) -> Iterator[Frame]:
    unusable = 0
    while unusable < _MAX_UNUSABLE:
        try:
            frame = frames.read()
        except ImageError:
            unusable += 1
            continue
        if frame is None:
            raise CameraError(f"{frames.text}: the source ended; it cannot be measured for longer")
        unusable = 0
        yield frame
    raise CameraError(f"{frames.text}: {unusable} frames in a row cannot be used")


def _sized(frame: Frame, size: tuple[int, int] | None) -> Frame:
    height, width = frame.pixels.shape[:2]
    if size is None or size == (width, height):
        return frame
    # Filled and cropped in the middle, so that a lesion keeps its shape.
    scale = max(size[0] / width, size[1] / height)
    scaled = cv2.resize(
        frame.pixels, (max(size[0], round(width * scale)), max(size[1], round(height * scale)))
    )
    top, left = (scaled.shape[0] - size[1]) // 2, (scaled.shape[1] - size[0]) // 2
    pixels = np.ascontiguousarray(scaled[top : top + size[1], left : left + size[0]], np.uint8)
    return Frame(pixels, name=frame.name, source=frame.source)
