"""Any GStreamer pipeline, through an OpenCV that was built with it: Jetson's CSI cameras above all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from skin_edge.camera.driver import DriverSettings, Opened, Rgb, check_shape
from skin_edge.errors import CameraError

#: The newest picture counts: a sink that queued them would give old ones, and fill the memory.
_SINK: Final = "appsink drop=true max-buffers=1 sync=false"
_TAIL: Final = f"videoconvert ! video/x-raw,format=BGR ! {_SINK}"


class GstDriver:
    """One pipeline.

    Args:
        rest: as for `gst-launch-1.0`; an `appsink` behind a conversion to BGR is added where there is none.
        settings: not used: what a pipeline does is in its text.
    """

    def __init__(self, rest: str, settings: DriverSettings) -> None:
        self._pipeline = complete_pipeline(rest)
        self._capture: Any = None
        self._first: Any = None

    def open(self) -> Opened:
        """As `Driver`."""
        import cv2

        from skin_edge.camera.decode import quiet_opencv

        quiet_opencv()
        self._cv2 = cv2
        if not has_gstreamer(cv2.getBuildInformation()):
            raise CameraError(
                f"OpenCV {cv2.__version__} here was built without GStreamer, as all wheels are; "
                "use the system's: `sudo apt install python3-opencv`, a venv made with "
                "--system-site-packages, and in it `pip uninstall opencv-python-headless`",
                code="camera-unsupported",
            )
        self._capture = cv2.VideoCapture(self._pipeline, cv2.CAP_GSTREAMER)
        if not self._capture.isOpened():
            without_sink = self._pipeline.rpartition("!")[0]
            raise CameraError(
                f"the pipeline does not start; try it with: gst-launch-1.0 -v {without_sink}! fakesink",
                code="camera-error",
            )
        # Caps are known for certain only from a picture.
        picture = self._grab()
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise CameraError(
                f"the pipeline gives {picture.shape} of {picture.dtype}; end it with "
                "`videoconvert ! video/x-raw,format=BGR ! appsink`",
                code="camera-error",
            )
        self._first = picture
        return Opened(picture.shape[1], picture.shape[0], "GStreamer pipeline")

    def read(self, out: Rgb) -> Mapping[str, str]:
        """As `Driver`."""
        picture, self._first = self._first, None
        if picture is None:
            picture = self._grab()
        check_shape(picture, out)
        self._cv2.cvtColor(picture, self._cv2.COLOR_BGR2RGB, dst=out)
        return {}

    def _grab(self) -> Any:
        ok, picture = self._capture.read()
        if not ok or picture is None:
            raise CameraError("the pipeline has ended or stopped with an error", code="camera-lost")
        return np.asarray(picture)

    def preview(self) -> Rgb | None:
        """As `Driver`: made from the full picture."""
        return None

    def close(self) -> None:
        """As `Driver`."""
        if self._capture is not None:
            self._capture.release()


def has_gstreamer(build_information: str) -> bool:
    """Read `cv2.getBuildInformation()`."""
    return re.search(r"^\s*GStreamer:\s*YES", build_information, re.MULTILINE) is not None


def complete_pipeline(text: str) -> str:
    """Return the pipeline with an appsink that keeps the newest picture only."""
    text = text.strip().rstrip("!").strip()
    sink = re.search(r"(?:^|!)\s*(appsink\b[^!]*)$", text)
    if sink is None:
        return f"{text} ! {_TAIL}"
    said = sink.group(1).strip()
    for name, value in (("drop", "true"), ("max-buffers", "1")):
        if not re.search(rf"\s{name}\s*=", said):
            said += f" {name}={value}"
    return text[: sink.start(1)] + said
