"""V4L2, GStreamer and auto, as far as a machine without a camera can prove them."""

from __future__ import annotations

import os
import stat
import struct
import sys
import types
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from skin_edge.camera import open_source, v4l2_device
from skin_edge.camera.driver import BadFrameError, DriverSettings
from skin_edge.camera.drivers import gst
from skin_edge.camera.drivers.auto import AutoDriver
from skin_edge.camera.drivers.gst import GstDriver, complete_pipeline, has_gstreamer
from skin_edge.camera.drivers.v4l2 import V4l2Driver
from skin_edge.camera.v4l2_device import V4l2Device, find_cameras, query_device
from skin_edge.errors import CameraError, UsageError

WITHOUT_CAMERA = pytest.mark.skipif(bool(v4l2_device.device_paths()), reason="this machine has video devices")


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/dev/video99", "camera-missing", "no such device /dev/video99: is the camera connected"),
        ("/dev/null", "camera-not-capture", "/dev/null is no video device"),
        ("/nowhere/video0", "camera-missing", "no such device"),
        ("FILE", "camera-not-capture", "no device but a file or folder"),
        ("FOLDER", "camera-not-capture", "no device but a file or folder"),
        ("PIPE", "camera-not-capture", "no device but a file or folder"),
    ],
)
def test_what_is_no_camera_says_so_with_status_3(
    tmp_path: Path, pipe: Path, path: str, code: str, words: str
) -> None:
    (tmp_path / "file").write_text("x")
    named = {"FILE": str(tmp_path / "file"), "FOLDER": str(tmp_path), "PIPE": str(pipe)}.get(path, path)
    with pytest.raises(CameraError, match=words) as caught:
        open_source(f"v4l2:{named}")
    assert (caught.value.exit_code, caught.value.code) == (3, code)
    assert str(caught.value).startswith(f"v4l2:{named}: ")
    assert "\n" not in str(caught.value)


def test_a_device_that_may_not_be_opened_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root may open everything, and tests may be run by root
    with pytest.raises(CameraError, match="usermod -aG video") as caught:
        query_device(Path("/dev/null"))
    assert caught.value.code == "camera-permission"


def answering(driver: str, card: str, capabilities: int, own: int = 0) -> bytes:
    text = (driver.encode(), card.encode(), b"usb-1")
    return struct.pack("=16s32s32sIII12x", *text, 0x60000, capabilities, own)


CAPTURE, STREAMING, META, HAS_OWN = 0x1, 0x0400_0000, 0x0080_0000, 0x8000_0000


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Devices of a made-up kernel: what each answers to VIDIOC_QUERYCAP."""
    answers: dict[str, bytes] = {}
    opened: dict[int, str] = {}

    def open_device(path: Path, *_: object) -> int:
        descriptor = os.dup(0)
        opened[descriptor] = Path(path).name
        return descriptor

    def ioctl(descriptor: int, request: int, buffer: bytes) -> bytes:
        assert (request, len(buffer)) == (0x80685600, 104)
        return answers[opened[descriptor]]

    monkeypatch.setattr(v4l2_device.os, "open", open_device)
    monkeypatch.setattr(v4l2_device.fcntl, "ioctl", ioctl)
    monkeypatch.setattr(v4l2_device, "device_paths", lambda: [Path("/dev") / name for name in answers])
    monkeypatch.setattr(Path, "stat", lambda *_, **__: types.SimpleNamespace(st_mode=stat.S_IFCHR))
    return answers


def test_cameras_are_told_from_the_other_devices_of_a_pi(kernel: dict[str, bytes]) -> None:
    both = CAPTURE | STREAMING
    kernel["video0"] = answering("unicam", "unicam", both | HAS_OWN, both)
    kernel["video1"] = answering("uvcvideo", "USB: Metadata", both | HAS_OWN | META, META | STREAMING)
    kernel["video2"] = answering("uvcvideo", "Derm\x07oscope", both | HAS_OWN, both)
    kernel["video13"] = answering("bcm2835-isp", "isp", both)
    kernel["video20"] = answering("vivid", "vivid", both)
    found = find_cameras()
    assert [device.path.name for device in found] == ["video2", "video20"]
    assert found[0] == V4l2Device(Path("/dev/video2"), "uvcvideo", "Dermoscope", "usb-1")
    with pytest.raises(CameraError, match=r"Metadata.*no pictures.*there is /dev/video0, /dev/video2"):
        query_device(Path("/dev/video1"))


class Capture:
    """cv2.VideoCapture over a made-up camera: it grants 640x480 MJPG and has the controls in `controls`."""

    def __init__(self, pictures: list[Any], controls: set[int] | None = None, fourcc: str = "MJPG") -> None:
        self.pictures = pictures
        self.controls = controls
        self.values: dict[int, float] = {
            cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480, cv2.CAP_PROP_FPS: 30.0,
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*fourcc),
        }  # fmt: skip
        self.fixed = set(self.values)

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def set(self, prop: int, value: float) -> bool:
        if prop in self.fixed or (self.controls is not None and prop not in self.controls):
            return False
        self.values[prop] = value
        return True

    def get(self, prop: int) -> float:
        return self.values.get(prop, -1.0)

    def grab(self) -> bool:
        return True

    def read(self) -> tuple[bool, Any]:
        picture = self.pictures.pop(0) if self.pictures else None
        return picture is not None, picture

    def release(self) -> None:
        self.values.clear()


def v4l2(
    monkeypatch: pytest.MonkeyPatch, kernel: dict[str, bytes], capture: Capture, **settings: Any
) -> tuple[V4l2Driver, Any]:
    kernel["video0"] = answering("uvcvideo", "Dermatoscope", CAPTURE | STREAMING)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
    driver = V4l2Driver("0", DriverSettings(settle_s=0.0, **settings))
    return driver, driver.open()


@pytest.fixture
def jpeg() -> Any:
    ramp = np.linspace(0, 200, 640, dtype=np.uint8)[None, :, None]
    bgr = np.ascontiguousarray(np.broadcast_to(ramp, (480, 640, 3))) + np.uint8([0, 20, 50])
    return cv2.imencode(".jpg", bgr)[1].reshape(1, -1)


def test_v4l2_takes_mjpg_undecoded_and_gives_rgb(
    monkeypatch: pytest.MonkeyPatch, kernel: dict[str, bytes], jpeg: Any
) -> None:
    capture = Capture([jpeg, jpeg[:, :4000]])
    driver, granted = v4l2(monkeypatch, kernel, capture)
    assert (granted.width, granted.height, granted.name) == (640, 480, "/dev/video0 (Dermatoscope)")
    assert granted.details == {"driver": "uvcvideo", "bus": "usb-1", "fourcc": "MJPG", "fps": "30"}
    assert capture.values[cv2.CAP_PROP_CONVERT_RGB] == 0
    out = np.zeros((480, 640, 3), np.uint8)
    driver.read(out)
    assert out[240, 300, 0] > out[240, 300, 2] + 30, "red first"
    with pytest.raises(BadFrameError) as caught:
        driver.read(out)
    assert caught.value.kind == "torn"


def test_v4l2_takes_pictures_that_opencv_gives_as_one_row(
    monkeypatch: pytest.MonkeyPatch, kernel: dict[str, bytes]
) -> None:
    """As OpenCV 4.11 does, the last one beside NumPy 1, where the camera sends BGR already."""
    bgr = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    out = np.zeros_like(bgr)
    driver, _ = v4l2(monkeypatch, kernel, Capture([bgr.reshape(1, -1)], fourcc="BGR3"))
    driver.read(out)
    assert np.array_equal(out, bgr[..., ::-1])
    driver, _ = v4l2(monkeypatch, kernel, Capture([bgr.reshape(1, -1)], fourcc="YUYV"))
    with pytest.raises(BadFrameError, match="1x921600"):
        driver.read(out)


def test_v4l2_settings_become_controls(monkeypatch: pytest.MonkeyPatch, kernel: dict[str, bytes]) -> None:
    capture = Capture([])
    _, granted = v4l2(
        monkeypatch, kernel, capture, exposure_us=12_345, gain=7.0, autofocus="off", focus=40.0, awb="lock",
        white_balance_k=4600,
    )  # fmt: skip
    assert granted.notes == ()
    expected = {
        cv2.CAP_PROP_AUTO_EXPOSURE: 1, cv2.CAP_PROP_EXPOSURE: 123, cv2.CAP_PROP_GAIN: 7.0,
        cv2.CAP_PROP_AUTOFOCUS: 0, cv2.CAP_PROP_FOCUS: 40.0, cv2.CAP_PROP_AUTO_WB: 0,
        cv2.CAP_PROP_WB_TEMPERATURE: 4600,
    }  # fmt: skip
    assert capture.values.items() >= expected.items()


def test_v4l2_reports_what_was_not_granted(monkeypatch: pytest.MonkeyPatch, kernel: dict[str, bytes]) -> None:
    capture = Capture([], controls=set(), fourcc="YUYV")
    _, granted = v4l2(
        monkeypatch, kernel, capture, width=1920, height=480, fps=60.0, pixel_format="mjpg", exposure_us=100
    )
    assert granted.notes == (
        "pixel_format MJPG was asked for, the camera sends YUYV",
        "manual exposure was asked for, the camera has no such control",
        "exposure_us was asked for, the camera has no such control",
        "width 1920 was asked for, the camera gives 640",
        "fps 60 was asked for, the camera gives 30",
    )


def test_v4l2_tells_an_unplugged_camera_from_a_failing_one(
    monkeypatch: pytest.MonkeyPatch, kernel: dict[str, bytes]
) -> None:
    driver, _ = v4l2(monkeypatch, kernel, Capture([], fourcc="YUYV"))
    out = np.zeros((480, 640, 3), np.uint8)
    with pytest.raises(CameraError, match="has stopped") as caught:
        driver.read(out)
    assert caught.value.code == "camera-error"

    def gone(*_: object) -> int:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(v4l2_device.os, "open", gone)
    with pytest.raises(CameraError, match="unplugged") as caught:
        driver.read(out)
    assert caught.value.code == "camera-lost"


@pytest.mark.parametrize("text", ["v4l2", "v4l2:", "v4l2:x", "v4l2:1234", "picamera2:x", "gst: ", "auto:1"])
def test_a_text_that_makes_no_sense_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        open_source(text)


@WITHOUT_CAMERA
def test_auto_says_what_it_looked_for() -> None:
    with pytest.raises(CameraError, match=r"picamera2.*no /dev/video\*.*--source demo") as caught:
        open_source("auto")
    assert (caught.value.exit_code, caught.value.code) == (3, "camera-missing")


def test_auto_takes_the_csi_camera_first_and_the_first_usb_camera_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    auto = sys.modules[AutoDriver.__module__]
    usb = [V4l2Device(Path(f"/dev/video{n}"), "uvcvideo", "c", "b") for n in (3, 5)]
    monkeypatch.setattr(auto, "find_cameras", lambda: usb)
    monkeypatch.setattr(auto, "list_cameras", lambda: [{"Id": "imx708"}])
    assert type(AutoDriver("", DriverSettings())._choose()).__name__ == "Picamera2Driver"
    monkeypatch.setattr(auto, "list_cameras", list)
    chosen = AutoDriver("", DriverSettings())._choose()
    assert isinstance(chosen, V4l2Driver)
    assert chosen._path == Path("/dev/video3")


@pytest.mark.skipif(has_gstreamer(cv2.getBuildInformation()), reason="this OpenCV has GStreamer")
def test_an_opencv_without_gstreamer_says_what_to_install() -> None:
    with pytest.raises(CameraError, match=r"built without GStreamer.*python3-opencv") as caught:
        open_source("gst:videotestsrc ! videoconvert ! appsink")
    assert (caught.value.exit_code, caught.value.code) == (3, "camera-unsupported")


@pytest.mark.parametrize(
    ("line", "has"),
    [("    GStreamer:                   YES (1.22.0)", True), ("    GStreamer:                   NO", False)],
)
def test_the_build_information_is_read(line: str, has: bool) -> None:
    assert has_gstreamer(f"  Video I/O:\n{line}\n    v4l/v4l2: YES\n") is has


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("videotestsrc", f"videotestsrc ! {gst._TAIL}"),
        ("videotestsrc !", f"videotestsrc ! {gst._TAIL}"),
        ("a ! appsink", "a ! appsink drop=true max-buffers=1"),
        ("a ! appsink name=x drop=false", "a ! appsink name=x drop=false max-buffers=1"),
        ("a ! appsink max-buffers = 3 drop=1", "a ! appsink max-buffers = 3 drop=1"),
    ],
)
def test_a_pipeline_keeps_the_newest_picture_only(text: str, completed: str) -> None:
    assert complete_pipeline(text) == completed


def test_gstreamer_gives_rgb_and_an_ended_pipeline_is_a_lost_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    blue = np.zeros((48, 64, 3), np.uint8)
    blue[:, :, 0] = 200
    monkeypatch.setattr(gst, "has_gstreamer", lambda _: True)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: Capture([blue, blue.copy()]))
    driver = GstDriver("videotestsrc", DriverSettings())
    granted = driver.open()
    out = np.zeros((granted.height, granted.width, 3), np.uint8)
    for _ in range(2):
        out[:] = 0
        driver.read(out)
        assert out[0, 0].tolist() == [0, 0, 200]
    with pytest.raises(CameraError, match="ended") as caught:
        driver.read(out)
    assert caught.value.code == "camera-lost"
