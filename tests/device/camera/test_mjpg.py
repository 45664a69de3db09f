"""Motion JPEG: what libjpeg would make a picture of all the same."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from skin_edge.camera.drawing import draw
from skin_edge.camera.driver import BadFrameError, Rgb
from skin_edge.camera.mjpg import decode_mjpg


@pytest.fixture(scope="module")
def picture() -> Rgb:
    return draw(1, 0).pixels


@pytest.fixture(scope="module")
def jpeg(picture: Rgb) -> bytes:
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert ok
    return data.tobytes()


def decoded(data: bytes, like: Rgb) -> Rgb:
    out = np.zeros_like(like)
    decode_mjpg(data, out)
    return out


def test_a_whole_picture_with_or_without_padding(picture: Rgb, jpeg: bytes) -> None:
    out = decoded(jpeg, picture)
    assert np.abs(out.astype(int) - picture).mean() < 4, "the right colours, in the right order"
    assert np.array_equal(decoded(jpeg + bytes(500), picture), out)


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_cut_short_is_torn(picture: Rgb, jpeg: bytes, part: float) -> None:
    with pytest.raises(BadFrameError) as caught:
        decoded(jpeg[: int(len(jpeg) * part)], picture)
    assert caught.value.kind == "torn"


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_a_lost_packet_is_torn(
    picture: Rgb, jpeg: bytes, part: float, capfd: pytest.CaptureFixture[str]
) -> None:
    """The end is there, a piece before it is not: only libjpeg's complaint tells."""
    at = int(len(jpeg) * part)
    with pytest.raises(BadFrameError) as caught:
        decoded(jpeg[: at - 3072] + jpeg[at:], picture)
    assert caught.value.kind == "torn"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"BM1234", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff" + bytes(99) + b"\xff\xd9"]
)
def test_what_is_no_jpeg_is_garbage(picture: Rgb, data: bytes) -> None:
    with pytest.raises(BadFrameError) as caught:
        decoded(data, picture)
    assert caught.value.kind == "garbage"


def test_another_size_is_said(picture: Rgb, jpeg: bytes) -> None:
    with pytest.raises(BadFrameError, match="1280x960") as caught:
        decode_mjpg(jpeg, np.zeros((48, 64, 3), np.uint8))
    assert caught.value.kind == "wrong-size"


def test_stderr_and_descriptors_are_as_before(picture: Rgb, jpeg: bytes) -> None:
    def open_now() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = (open_now(), os.fstat(2).st_ino)
    for _ in range(5):
        decoded(jpeg, picture)
        with pytest.raises(BadFrameError):
            decoded(jpeg[:5000] + jpeg[-2:], picture)
    assert (open_now(), os.fstat(2).st_ino) == before
