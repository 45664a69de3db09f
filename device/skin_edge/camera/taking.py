"""The frames of one capture, out of a source: fresh ones from a camera, the next ones from files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from skin_edge.errors import ImageError
from skin_edge.frame import Frame

#: Frames older than the trigger that are dropped before one of them is taken all the same.
MOST_STALE: Final = 32


def take_burst(read: Callable[[], Frame | None], count: int, *, since_s: float | None = None) -> list[Frame]:
    """Return the readable frames of a burst, none at the end of the source.

    Args:
        read: gives the next frame, as `FrameSource.read`.
        count: how many are asked for, from 1 on; one that cannot be read counts as asked for.
        since_s: only frames taken at this moment or later count, on the monotonic clock: for a camera, whose
            frames pass whether they are read or not. None takes what comes.

    Raises:
        ImageError: none of the frames could be read; the last one's.
        CameraError: from the source.
    """
    frames: list[Frame] = []
    last: ImageError | None = None
    for _ in range(count):
        try:
            frame = read() if since_s is None else _read_since(read, since_s)
        except ImageError as error:
            last = error
            continue
        if frame is None:
            break
        frames.append(frame)
    if last is not None and not frames:
        raise last
    return frames


def _read_since(read: Callable[[], Frame | None], moment_s: float) -> Frame | None:
    """Return the next frame that was taken after `moment_s`, on the monotonic clock."""
    for _ in range(MOST_STALE):
        frame = read()
        if frame is None or frame.monotonic_s >= moment_s:
            break
    return frame
