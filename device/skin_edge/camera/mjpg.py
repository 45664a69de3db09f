"""One picture of a motion-JPEG stream, or what is wrong with it.

libjpeg makes a picture of nearly anything and only complains on stderr, so the complaints are read there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.camera.driver import BadFrameError, Rgb, check_shape

_START: Final = b"\xff\xd8\xff"
_END: Final = b"\xff\xd9"

#: libjpeg's words for data that ends too early or makes no sense (jerror.h); other warnings are harmless.
_COMPLAINTS: Final = (b"Corrupt JPEG data", b"Premature end of JPEG", b"Unsupported marker", b"Bogus")


def decode_mjpg(data: bytes, out: Rgb) -> None:
    """Decode into `out`, (H, W, 3) uint8 RGB.

    Args:
        data: one picture; a driver may leave padding behind it.

    Raises:
        BadFrameError: `torn` where it is cut short or damaged, `garbage` where it is no JPEG, `wrong-size`.
    """
    if not data.startswith(_START):
        raise BadFrameError("garbage", f"no JPEG: it begins with {data[:4].hex() or 'nothing'}")
    end = data.rfind(_END)
    if end < 0:
        raise BadFrameError("torn", f"a JPEG that breaks off after {len(data)} bytes")
    with _stderr_caught() as caught:
        try:
            bgr = cv2.imdecode(np.frombuffer(data[: end + 2], np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            bgr = None
    said = b"".join(caught)
    if bgr is None:
        raise BadFrameError("garbage", "a JPEG that cannot be decoded")
    if any(complaint in said for complaint in _COMPLAINTS):
        raise BadFrameError("torn", f"a damaged JPEG: {_first_line(said)}")
    picture: npt.NDArray[np.generic] = np.asarray(bgr)
    check_shape(picture, out)
    cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=out)


def _first_line(said: bytes) -> str:
    return said.split(b"\n", 1)[0].decode("ascii", "replace").strip()


@contextmanager
def _stderr_caught() -> Iterator[list[bytes]]:
    """Catch what C code writes to stderr: only for a process of one thread, such as the capture process."""
    caught: list[bytes] = []
    kept = os.dup(2)
    memory = os.memfd_create("stderr", os.MFD_CLOEXEC)
    try:
        os.dup2(memory, 2)
        try:
            yield caught
        finally:
            os.dup2(kept, 2)
        size = os.fstat(memory).st_size
        if size:
            caught.append(os.pread(memory, min(size, 65_536), 0))
    finally:
        os.close(kept)
        os.close(memory)
