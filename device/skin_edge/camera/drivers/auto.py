"""The camera that is there: a CSI camera where picamera2 sees one, else the first V4L2 camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from skin_edge.camera.driver import Driver, DriverSettings, Opened, Rgb
from skin_edge.camera.drivers.picamera2_csi import Picamera2Driver, list_cameras
from skin_edge.camera.drivers.v4l2 import V4l2Driver
from skin_edge.camera.v4l2_device import device_paths, find_cameras
from skin_edge.errors import CameraError


class AutoDriver:
    """Looks again at every start, so that a camera which comes back under another number is found.

    Args:
        rest: nothing.
        settings: for the driver that is chosen.
    """

    def __init__(self, rest: str, settings: DriverSettings) -> None:
        self._settings = settings
        self._chosen: Driver | None = None

    def open(self) -> Opened:
        """As `Driver`."""
        self._chosen = self._choose()
        opened = self._chosen.open()
        return replace(opened, details={**opened.details, "chosen": opened.name})

    def _choose(self) -> Driver:
        try:
            cameras: list[Any] = list_cameras()
            csi = f"picamera2: {len(cameras)} cameras"
        except CameraError as error:
            cameras, csi = [], str(error)
        if cameras:
            return Picamera2Driver("", self._settings)
        usb = find_cameras()
        if usb:
            return V4l2Driver(str(usb[0].path), self._settings)
        nodes = ", ".join(str(path) for path in device_paths()) or "no /dev/video*"
        raise CameraError(
            f"no camera found. Looked for a CSI camera ({csi}) and for a V4L2 camera ({nodes}). "
            "Connect one, name another source with --source, or try --source demo",
            code="camera-missing",
        )

    def read(self, out: Rgb) -> Mapping[str, str]:
        """As `Driver`."""
        return self._open_driver().read(out)

    def preview(self) -> Rgb | None:
        """As `Driver`."""
        return self._open_driver().preview()

    def close(self) -> None:
        """As `Driver`."""
        if self._chosen is not None:
            self._chosen.close()

    def _open_driver(self) -> Driver:
        if self._chosen is None:
            raise CameraError("the camera is not open", code="camera-closed")
        return self._chosen
