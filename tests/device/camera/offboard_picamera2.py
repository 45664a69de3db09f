"""The real picamera2 package off a Raspberry Pi: its own code, over a stand-in for libcamera and hardware.

picamera2's Picamera2, Controls, Job and NullPreview run as they are: configurations are made and checked by
them, controls that the camera does not list are refused by them, time-outs expire in them. Left out is what
talks to libcamera: finding cameras, buffers, and the completed requests, which a thread makes up here.
"""

from __future__ import annotations

import enum
import importlib
import sys
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock, patch

import numpy as np

FULL = (1456, 1088)

#: What picamera2 imports and a machine without camera does not have. The values are never looked at.
ABSENT = (
    "pykms", "pidng", "pidng.camdefs", "pidng.core", "piexif", "simplejpeg", "videodev2", "prctl", "av",
    "libarchive", "OpenEXR",
)  # fmt: skip

#: A Camera Module 3 lists these (name: smallest, largest, default).
CONTROLS = {
    "ExposureTime": (1, 10**8, 20_000),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "FrameDurationLimits": (100, 10**9, 33_333),
    "AwbEnable": (False, True, True),
    "ColourGains": (0.0, 32.0, None),
    "NoiseReductionMode": (0, 4, 0),
}
AUTOFOCUS = {"AfMode": (0, 2, 0), "AfTrigger": (0, 1, 0), "LensPosition": (0.0, 15.0, 1.0)}


class Transform:
    def __init__(self, hflip: int = 0, vflip: int = 0, transpose: int = 0) -> None:
        self.hflip, self.vflip, self.transpose = hflip, vflip, transpose

    def __hash__(self) -> int:
        return hash((self.hflip, self.vflip, self.transpose))


class ColorSpace:
    def __init__(self, name: str = "") -> None:
        self.primaries = self.transferFunction = self.ycbcrEncoding = self.range = name

    def __hash__(self) -> int:
        return hash(self.primaries)

    Sycc = classmethod(lambda cls: cls("sycc"))
    Smpte170m = classmethod(lambda cls: cls("smpte170m"))
    Rec709 = classmethod(lambda cls: cls("rec709"))


class Box:
    def __init__(self, *values: int) -> None:
        self.values = values


def libcamera() -> types.ModuleType:
    """Return a stand-in for the module: the few types that are looked at, anything for the rest."""
    module: Any = MagicMock(name="libcamera")
    module.Transform, module.ColorSpace = Transform, ColorSpace
    module.Size, module.Rectangle = type("Size", (Box,), {}), type("Rectangle", (Box,), {})
    module._libcamera.Transform, module._libcamera.ColorSpace = Transform, ColorSpace
    module.FrameMetadata.Status = enum.Enum("Status", ["Success", "Error"])
    return module  # type: ignore[no-any-return]


class Request:
    """A completed request, with the methods of picamera2's."""

    def __init__(self, camera: Any, number: int) -> None:
        self._camera = camera
        self._number = number
        self.references = 1
        self.config = camera.camera_config
        self.configure_count = camera.configure_count
        buffer = MagicMock()
        buffer.metadata.status = sys.modules["libcamera"].FrameMetadata.Status.Success
        self.request = types.SimpleNamespace(buffers={"main": buffer})
        self.display = False

    def acquire(self) -> None:
        self.references += 1

    def release(self) -> None:
        self.references -= 1
        assert self.references >= 0
        if self.references == 0:
            self._camera.released += 1

    def make_array(self, name: str) -> Any:
        width, height = self.config[name]["size"]
        if name == "main":
            return np.full((height, width, 3), self._number % 200 + 20, np.uint8)
        return np.full((height * 3 // 2, width + 16), 128, np.uint8)  # rows are padded, as on a Pi

    def get_metadata(self) -> dict[str, Any]:
        return {"ExposureTime": 20_001, "AnalogueGain": 1.5, "ColourGains": (1.9, 2.1), "LensPosition": 8.25,
                "SensorTimestamp": 123, "Unknown": 1}  # fmt: skip


@contextmanager
def offboard(*, autofocus: bool = True, cameras: int = 1, frames: bool = True) -> Iterator[Any]:
    """Make `import picamera2` give the real package over the stand-in; yields its last Picamera2's class.

    Args:
        autofocus: the camera lists the controls for it.
        cameras: how many there are.
        frames: the camera gives pictures; without, every wait runs into its time-out.
    """
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("picamera2")}
    stands = {name: MagicMock(name=name) for name in ABSENT}
    stands["libcamera"] = libcamera()  # type: ignore[assignment]
    with patch.dict(sys.modules, stands):
        package = importlib.import_module("picamera2")
        inner = importlib.import_module("picamera2.picamera2")
        listed = CONTROLS | (AUTOFOCUS if autofocus else {})

        class OffBoard(package.Picamera2):  # type: ignore[misc, name-defined]
            made: list[Any] = []  # noqa: RUF012 - for the tests to look at

            @staticmethod
            def global_camera_info() -> list[dict[str, Any]]:
                return [
                    {"Model": "imx708", "Id": f"/base/i2c@1/imx708@{n}", "Num": n} for n in range(cameras)
                ]

            def _open_camera(self) -> None:
                self.made.append(self)
                self.camera = MagicMock()
                self.camera_properties_ = {"ColorFilterArrangement": 0}
                for name, (low, high, default) in listed.items():
                    info = types.SimpleNamespace(min=low, max=high, default=default)
                    self.camera_ctrl_info[name] = (MagicMock(), info)
                self.sensor_resolution, self.sensor_format = FULL, "SRGGB10_CSI2P"
                self.is_open = True
                self.released = 0
                self._stopping = threading.Event()

            def configure_(self, camera_config: Any) -> None:
                if not isinstance(camera_config, dict):
                    raise TypeError("the driver makes its own configuration")
                self.check_camera_config(camera_config)
                self.camera_config = camera_config
                self._max_queue_len = 1 if camera_config["queue"] and camera_config["buffer_count"] > 1 else 0
                self.controls = inner.Controls(self, controls=camera_config["controls"])
                self.began_with = self.controls.make_dict()
                self.configure_count += 1

            def start_(self) -> None:
                self.started = True
                if frames:
                    threading.Thread(target=self._expose, daemon=True).start()

            def _expose(self) -> None:
                number = 0
                while not self._stopping.wait(0.01):
                    number += 1
                    with self._requestslock:
                        self._requests.append(Request(self, number))
                    self._run_process_requests()

            def stop_(self, request: Any = None) -> tuple[bool, None]:
                self._stopping.set()
                self.started = False
                time.sleep(0.02)
                return True, None

        with (
            patch.object(package, "Picamera2", OffBoard),
            patch.object(inner, "DmaAllocator", MagicMock()),
            patch.object(inner.Picamera2, "_cm", MagicMock()),
        ):
            yield OffBoard
    for name in [name for name in sys.modules if name.startswith("picamera2")]:
        del sys.modules[name]
    sys.modules.update(before)
