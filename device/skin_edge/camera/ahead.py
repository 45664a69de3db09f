"""The next picture is read in a thread while the one before it is worked on: decoding is half of the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from skin_edge.camera.decode import Rgb, read_image

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


#: Pictures with more pixels are read one at a time: a small board has no room for two of them.
_MAX_PIXELS: Final = 16_000_000


class ReadAhead:
    """Reads pictures one after the other, and from the second on the one that comes next as well.

    The first is read alone, so that whoever wants one picture starts no thread. A picture is as it was when
    it was read, which may be while the one before it was worked on.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._reads = 0
        self._coming: tuple[Path, Future[Rgb]] | None = None

    def read(self, path: Path, then: Path | None) -> Rgb:
        """Return a picture as `read_image` does, (H, W, 3) uint8 RGB.

        Args:
            path: of the picture.
            then: of the one that will probably be asked for next; None for the last.

        Raises:
            ImageError: `path` cannot be read; what is wrong with `then` is said when it is asked for.
        """
        coming, self._coming = self._coming, None
        self._reads += 1
        pixels = coming[1].result() if coming and coming[0] == path else read_image(path)
        if self._reads > 1 and then is not None and pixels.shape[0] * pixels.shape[1] <= _MAX_PIXELS:
            self._coming = (then, self._start().submit(read_image, then))
        return pixels

    def _start(self) -> ThreadPoolExecutor:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, "read-ahead")
        return self._pool

    def close(self) -> None:
        """End the thread, after the picture that it is reading."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._coming = None
