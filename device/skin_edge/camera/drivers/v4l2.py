"""USB dermatoscopes and webcams: V4L2 through OpenCV.

Motion JPEG is taken as it comes off the wire and decoded here, so that a damaged picture is known as one.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from skin_edge.camera.driver import DriverSettings, Opened, Rgb, check_shape
from skin_edge.camera.v4l2_device import V4l2Device, query_device
from skin_edge.errors import CameraError

#: Values of V4L2_CID_EXPOSURE_AUTO.
_EXPOSURE_MANUAL: Final = 1
_EXPOSURE_APERTURE_PRIORITY: Final = 3

#: V4L2_CID_EXPOSURE_ABSOLUTE counts in steps of 100 microseconds.
_EXPOSURE_STEP_US: Final = 100

#: Pictures in a row that may fail before the device is given up.
_EMPTY_TRIES: Final = 3


class V4l2Driver:
    """One capture device.

    Args:
        rest: its number, or its path.
        settings: what is wanted of it.
    """

    def __init__(self, rest: str, settings: DriverSettings) -> None:
        self._path = Path(f"/dev/video{rest}") if rest.isdigit() else Path(rest)
        self._settings = settings
        self._capture: Any = None
        self._raw_mjpg = False
        self._notes: list[str] = []

    def open(self) -> Opened:
        """As `Driver`."""
        device = query_device(self._path)
        # Whole seconds, and read once when OpenCV is loaded: its own ten would outlast our time-out.
        os.environ.setdefault(
            "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(math.ceil(self._settings.read_timeout_s))
        )
        import cv2

        from skin_edge.camera.decode import quiet_opencv

        quiet_opencv()
        self._cv2 = cv2
        self._capture = cv2.VideoCapture(str(self._path), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise CameraError(
                f"{self._path} ({device.card}) does not start; does another program use it?",
                code="camera-error",
            )
        self._configure()
        return self._granted(device)

    def _configure(self) -> None:
        cv2, wanted = self._cv2, self._settings
        code = {"mjpg": "MJPG", "yuyv": "YUYV", None: "MJPG"}[wanted.pixel_format]
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*code))
        if wanted.width is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, wanted.width)
        if wanted.height is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted.height)
        if wanted.fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, wanted.fps)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)  # the newest counts
        got = self._fourcc()
        if wanted.pixel_format is not None and got != code:
            self._notes.append(f"pixel_format {code} was asked for, the camera sends {got}")
        if got in ("MJPG", "JPEG"):
            self._raw_mjpg = bool(self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0))
        self._set_exposure()
        self._set_focus()
        self._set_white_balance(automatic=True)

    def _fourcc(self) -> str:
        value = int(self._capture.get(self._cv2.CAP_PROP_FOURCC))
        return "".join(chr(value >> shift & 0xFF) for shift in (0, 8, 16, 24) if value >> shift & 0xFF)

    def _set(self, what: str, prop: int, value: float, *, demanded: bool) -> None:
        """Set one control; note where it was asked for in the settings and is not there."""
        if not self._capture.set(prop, value) and demanded:
            self._notes.append(f"{what} was asked for, the camera has no such control")

    def _set_exposure(self) -> None:
        cv2, wanted = self._cv2, self._settings
        if wanted.exposure_us is None:
            self._set("exposure", cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_APERTURE_PRIORITY, demanded=False)
        else:
            self._set("manual exposure", cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_MANUAL, demanded=True)
            steps = max(1, round(wanted.exposure_us / _EXPOSURE_STEP_US))
            self._set("exposure_us", cv2.CAP_PROP_EXPOSURE, steps, demanded=True)
        if wanted.gain is not None:
            self._set("gain", cv2.CAP_PROP_GAIN, wanted.gain, demanded=True)

    def _set_focus(self) -> None:
        cv2, wanted = self._cv2, self._settings
        automatic = wanted.autofocus != "off"
        self._set("autofocus off", cv2.CAP_PROP_AUTOFOCUS, float(automatic), demanded=not automatic)
        if not automatic and wanted.focus is not None:
            self._set("focus", cv2.CAP_PROP_FOCUS, wanted.focus, demanded=True)

    def _set_white_balance(self, *, automatic: bool) -> None:
        cv2, wanted = self._cv2, self._settings
        self._set("white_balance lock", cv2.CAP_PROP_AUTO_WB, float(automatic), demanded=not automatic)
        if not automatic and wanted.white_balance_k is not None:
            self._set("white_balance_k", cv2.CAP_PROP_WB_TEMPERATURE, wanted.white_balance_k, demanded=True)

    def _granted(self, device: V4l2Device) -> Opened:
        cv2, wanted = self._cv2, self._settings
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        if width <= 0 or height <= 0:
            raise CameraError(f"{self._path} ({device.card}) states no picture size", code="camera-error")
        for name, asked, got in (("width", wanted.width, width), ("height", wanted.height, height)):
            if asked is not None and asked != got:
                self._notes.append(f"{name} {asked} was asked for, the camera gives {got}")
        if wanted.fps is not None and fps > 0 and abs(fps - wanted.fps) > 0.5:
            self._notes.append(f"fps {wanted.fps:g} was asked for, the camera gives {fps:g}")
        self._settle()
        details = {"driver": device.driver, "bus": device.bus, "fourcc": self._fourcc(), "fps": f"{fps:g}"}
        return Opened(width, height, f"{self._path} ({device.card})", tuple(self._notes), details)

    def _settle(self) -> None:
        """Let exposure, focus and white balance settle, then lock what is to be locked."""
        until = time.monotonic() + self._settings.settle_s
        tries = 0
        while time.monotonic() < until:
            if not self._capture.grab():
                tries += 1
                if tries >= _EMPTY_TRIES:
                    break  # the first read says what is wrong
        if self._settings.autofocus == "once":
            self._set("autofocus once", self._cv2.CAP_PROP_AUTOFOCUS, 0.0, demanded=True)
        if self._settings.awb == "lock":
            self._set_white_balance(automatic=False)

    def read(self, out: Rgb) -> Mapping[str, str]:
        """As `Driver`."""
        picture = self._take()
        if self._raw_mjpg and (picture.ndim < 3 or 1 in picture.shape[:2]):
            from skin_edge.camera.mjpg import decode_mjpg

            decode_mjpg(picture.tobytes(), out)
        else:
            if picture.shape[0] == 1 and picture.size == out.size and self._fourcc() == "BGR3":
                # OpenCV 4.11 gives what needs no conversion as one long row.
                picture = picture.reshape(out.shape)
            check_shape(picture, out)
            self._cv2.cvtColor(picture, self._cv2.COLOR_BGR2RGB, dst=out)
        return {}

    def _take(self) -> Any:
        """Return the next picture as OpenCV gives it; an empty buffer now and then is passed over."""
        for _ in range(_EMPTY_TRIES):
            ok, picture = self._capture.read()
            if ok and picture is not None and picture.size:
                return np.asarray(picture)
            try:
                query_device(self._path)
            except CameraError as error:
                raise CameraError(f"{self._path} is gone: it was unplugged", code="camera-lost") from error
        raise CameraError(f"{self._path} has stopped: the driver gives no picture", code="camera-error")

    def preview(self) -> Rgb | None:
        """As `Driver`: made from the full picture."""
        return None

    def close(self) -> None:
        """As `Driver`."""
        if self._capture is not None:
            self._capture.release()
