"""CSI cameras of a Raspberry Pi, through picamera2: the one file that knows it.

The main stream is the still configuration at full resolution, the low-resolution stream the preview. Every
wait has a time-out; those that picamera2 does not take are the supervisor's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as JobTimeoutError  # the builtin, from Python 3.11 on
from typing import Any, Final

import numpy as np

from skin_edge.camera.driver import DriverSettings, Opened, Rgb, fill
from skin_edge.errors import CameraError

#: AfModeEnum and AfTriggerEnum of libcamera's control_ids_core.yaml.
_AF_MANUAL: Final = 0
_AF_AUTO: Final = 1
_AF_CONTINUOUS: Final = 2
_AF_TRIGGER_START: Final = 0

#: One being filled while another is read; each is a full picture of contiguous memory, which is scarce.
_BUFFERS: Final = 2

#: What of libcamera's metadata goes with a picture.
_METADATA: Final = {
    "ExposureTime": "exposure_us", "AnalogueGain": "gain", "DigitalGain": "digital_gain",
    "ColourGains": "colour_gains", "ColourTemperature": "colour_temperature_k", "Lux": "lux",
    "LensPosition": "lens_dioptres", "AfState": "af_state", "FocusFoM": "focus_figure",
    "SensorTemperature": "sensor_celsius", "SensorTimestamp": "sensor_timestamp_ns",
}  # fmt: skip


def load_picamera2() -> Any:
    """Return the class `picamera2.Picamera2`.

    Raises:
        CameraError: `camera-unsupported`; picamera2, or what it needs of the system, is not there.
    """
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        missing = (error.name or str(error)).partition(".")[0]
        raise _not_installed(f"{missing} is missing") from error
    except (
        Exception
    ) as error:  # what it imports is built against one numpy and fails as it likes under another
        raise _not_installed(f"{type(error).__name__}: {error}") from error
    return Picamera2


def _not_installed(why: str) -> CameraError:
    return CameraError(
        f"picamera2 cannot be loaded, {why}: `sudo apt install python3-picamera2` (it brings libcamera and "
        "pykms), in a venv made with --system-site-packages",
        code="camera-unsupported",
    )


def list_cameras() -> list[Any]:
    """Return what picamera2 knows of each CSI camera; USB cameras, which libcamera lists too, are left out.

    Raises:
        CameraError: picamera2 is not there, or fails.
    """
    picamera2 = load_picamera2()
    try:
        cameras = list(picamera2.global_camera_info())
    except (RuntimeError, OSError) as error:
        raise CameraError(f"picamera2 cannot list cameras: {error}", code="camera-error") from error
    return [info for info in cameras if "/usb" not in str(info.get("Id", ""))]


class Picamera2Driver:
    """One CSI camera.

    Args:
        rest: its number in picamera2's list; nothing for the first.
        settings: what is wanted of it.
    """

    def __init__(self, rest: str, settings: DriverSettings) -> None:
        self._number = int(rest or 0)
        self._settings = settings
        self._camera: Any = None
        self._small: Rgb | None = None
        self._notes: list[str] = []

    def open(self) -> Opened:
        """As `Driver`."""
        picamera2 = load_picamera2()
        known = list(picamera2.global_camera_info())
        if self._number >= len(known):
            raise CameraError(
                f"picamera2 has no camera number {self._number}, it lists {len(known)}: check the ribbon "
                "cable, and `rpicam-hello --list-cameras`",
                code="camera-missing",
            )
        try:
            self._camera = picamera2(self._number)
            self._configure()
            self._camera.start()
            self._settle()
        except (RuntimeError, OSError, JobTimeoutError) as error:
            raise CameraError(f"picamera2 does not start the camera: {error}", code="camera-error") from error
        width, height = self._camera.stream_configuration("main")["size"]
        if self._settings.width not in (None, width) or self._settings.height not in (None, height):
            self._notes.append(f"the camera gives {width}x{height}")
        name = str(known[self._number].get("Model", "CSI camera"))
        return Opened(width, height, f"{name} (picamera2)", tuple(self._notes))

    def _configure(self) -> None:
        camera, wanted = self._camera, self._settings
        full_width, full_height = camera.sensor_resolution
        # Odd sizes are refused by picamera2.
        size = ((wanted.width or full_width) // 2 * 2, (wanted.height or full_height) // 2 * 2)
        small_width = min(wanted.preview_width, size[0]) // 2 * 2
        small = (small_width, max(2, round(small_width * size[1] / size[0]) // 2 * 2))
        configuration = camera.create_still_configuration(
            main={"size": size, "format": "BGR888"},  # libcamera's name for R, G, B in memory
            lores={"size": small, "format": "YUV420"},
            raw=None,
            controls=self._controls(camera.camera_controls),
            buffer_count=_BUFFERS,
            queue=False,  # a picture that was asked for is taken afterwards
        )
        camera.configure(configuration)

    def _controls(self, listed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the controls to begin with: those that were asked for and that the camera lists."""
        wanted = self._settings
        controls: dict[str, Any] = {}
        if wanted.fps is not None:
            frame_us = round(1e6 / wanted.fps)
            controls["FrameDurationLimits"] = (frame_us, frame_us)
        if wanted.exposure_us is not None:
            controls["ExposureTime"] = wanted.exposure_us
        if wanted.gain is not None:
            controls["AnalogueGain"] = wanted.gain
        if wanted.awb == "lock" and wanted.colour_gains is not None:
            controls["AwbEnable"] = False
            controls["ColourGains"] = wanted.colour_gains
        else:
            controls["AwbEnable"] = True
        if "AfMode" in listed:
            modes = {"continuous": _AF_CONTINUOUS, "once": _AF_AUTO, "off": _AF_MANUAL}
            controls["AfMode"] = modes[wanted.autofocus]
            if wanted.autofocus == "off" and wanted.focus is not None:
                controls["LensPosition"] = wanted.focus
        elif wanted.autofocus == "once" or wanted.focus is not None:
            self._notes.append("focus was asked for, the camera has a fixed one")
        for name in [name for name in controls if name not in listed]:
            del controls[name]
            if name != "AwbEnable":  # a camera without colour has none, and nobody asked
                self._notes.append(f"{name} was asked for, the camera has no such control")
        return controls

    def _settle(self) -> None:
        camera, wanted = self._camera, self._settings
        listed = camera.camera_controls
        if wanted.autofocus == "once" and "AfTrigger" in listed:
            camera.set_controls({"AfTrigger": _AF_TRIGGER_START})
        until = time.monotonic() + wanted.settle_s
        metadata: Mapping[str, Any] = {}
        while True:
            metadata = camera.capture_metadata(wait=wanted.read_timeout_s)
            if time.monotonic() >= until:
                break
        if wanted.awb == "lock" and wanted.colour_gains is None and "ColourGains" in listed:
            gains = metadata.get("ColourGains")
            if gains:
                camera.set_controls({"AwbEnable": False, "ColourGains": tuple(gains)})
            else:
                self._notes.append("white_balance lock was asked for, the camera states no gains")

    def read(self, out: Rgb) -> Mapping[str, str]:
        """As `Driver`."""
        try:
            request = self._camera.capture_request(wait=self._settings.read_timeout_s)
        except JobTimeoutError as error:
            self._camera.cancel_all_and_flush()  # else closing would wait behind the picture
            raise CameraError(
                f"hangs: no picture in {self._settings.read_timeout_s:g} s; check the ribbon cable",
                code="camera-hang",
            ) from error
        except (RuntimeError, OSError) as error:
            raise CameraError(f"picamera2: {error}", code="camera-error") from error
        try:
            fill(out, request.make_array("main"))
            self._small = self._rgb(request.make_array("lores"))
            metadata = request.get_metadata()
        finally:
            request.release()
        return {ours: _text(metadata[theirs]) for theirs, ours in _METADATA.items() if theirs in metadata}

    def _rgb(self, planar: Any) -> Rgb | None:
        import cv2

        width, height = self._camera.stream_configuration("lores")["size"]
        rgb = cv2.cvtColor(np.asarray(planar), cv2.COLOR_YUV420p2RGB)
        return np.asarray(rgb[:height, :width], np.uint8)

    def preview(self) -> Rgb | None:
        """As `Driver`: the low-resolution stream."""
        return self._small

    def close(self) -> None:
        """As `Driver`."""
        if self._camera is not None:
            self._camera.close()


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return " ".join(_text(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
