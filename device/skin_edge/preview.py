"""A window with what the camera sees, where to hold the lesion, and whether focus and light will do.

Drawn with Tk, which comes with Python: the OpenCV of the device has no windows.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from skin_edge import DISCLAIMER
from skin_edge.errors import UsageError
from skin_edge.frame import Frame, QualityReport
from skin_edge.quality import REASON_TEXT, assess
from skin_edge.sections import QualityThresholds
from skin_edge.triggers.base import Signal, Trigger

if TYPE_CHECKING:
    from skin_edge.preprocess.rgb import Rgb
    from skin_edge.results.record import ResultRecord

#: Largest picture in the window, in pixels: it leaves room for the text on a small board's 800 x 480 screen.
MAX_WIDTH_PX: Final = 760
MAX_HEIGHT_PX: Final = 340

#: Radius of the ring, as a part of the side of the square that the network sees.
_RING: Final = 0.36

_GOOD_RGB: Final = (60, 200, 90)
_POOR_RGB: Final = (255, 170, 20)

#: How often Tk is given its turn while nothing happens.
_TURN_S: Final = 0.01


def draw(rgb: Rgb, report: QualityReport, crop_fraction: float) -> Rgb:
    """Return a picture for the window: scaled down, with the square that the network sees and a target ring.

    Args:
        rgb: (H, W, 3) uint8; not modified.
        report: of the same frame; the ring is green for a good one, else amber.
        crop_fraction: side of the central square as a part of the shorter side.

    Returns:
        (h, w, 3) uint8 RGB, at most `MAX_WIDTH_PX` by `MAX_HEIGHT_PX`.
    """
    height, width = rgb.shape[:2]
    factor = min(MAX_WIDTH_PX / width, MAX_HEIGHT_PX / height, 1.0)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    picture = np.ascontiguousarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    side = max(1, round(min(size) * crop_fraction))
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    cv2.rectangle(picture, (left, top), (left + side - 1, top + side - 1), (235, 235, 235), 1)
    centre, radius = (left + side // 2, top + side // 2), max(1, round(side * _RING))
    cv2.circle(picture, centre, radius, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.circle(picture, centre, radius, _GOOD_RGB if report.ok else _POOR_RGB, 2, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def hint(report: QualityReport) -> str:
    """Return what to do now: what is wrong with the frame, or that a capture may be made."""
    if report.ok:
        return "Lesion in the ring, then press Space or Enter, or click."
    return REASON_TEXT[report.reasons[0]]


class PreviewWindow(Trigger):
    """The window, which is also a trigger: Space, Enter or a click ask for a capture, closing it ends.

    Belongs to the thread that made it, and only answers while `wait` or `show` is called.

    Args:
        thresholds: of the quality gate, for the hint.
        crop_fraction: side of the square that the network sees, as a part of the shorter side.

    Raises:
        UsageError: there is no display, or this Python has no Tk.
    """

    def __init__(self, thresholds: QualityThresholds, crop_fraction: float) -> None:
        self._thresholds = thresholds
        self._crop_fraction = crop_fraction
        self._fired = False
        self._closed = False
        self._tk, self._root = _open_root()
        self._root.title("skin-edge")
        self._root.configure(background="#18181b")
        self._picture = self._label(None)
        self._hint = self._label(14, "Press Space or Enter, or click.")
        self._result = self._label(14)
        self._label(9, DISCLAIMER)
        self._image: Any = None  # Tk does not hold it
        for event in ("<space>", "<Return>", "<KP_Enter>", "<Button-1>"):
            self._root.bind(event, self._fire)
        self._root.bind("<Escape>", self._end)
        self._root.protocol("WM_DELETE_WINDOW", self._end)
        self._root.update()

    def show(self, frame: Frame) -> None:
        """Show a frame, and the hint that fits it."""
        if self._closed:
            return
        report = assess(frame.pixels, self._thresholds)
        picture = draw(frame.pixels, report, self._crop_fraction)
        header = f"P6 {picture.shape[1]} {picture.shape[0]} 255 ".encode()
        self._image = self._tk.PhotoImage(master=self._root, data=header + picture.tobytes(), format="PPM")
        self._picture.configure(image=self._image)
        self._hint.configure(text=hint(report), foreground="#3cc85a" if report.ok else "#ffaa14")
        self._root.update()

    def tell(self, record: ResultRecord) -> None:
        """Show a decision under the picture."""
        if self._closed:
            return
        text = f"{record.label}: {record.probability:.3f} of malignant, calibrated"
        if record.refer:
            text += "; take it again, or refer" if record.label == "uncertain" else "; refer"
        self._result.configure(text=text)
        self._root.update()

    def wait(self, timeout_s: float | None) -> Signal:
        """As `Trigger.wait`; presses while a capture is under way count as one."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            if not self._closed:
                self._root.update()
            if self._closed:
                return Signal.ENDED
            if self._fired:
                self._fired = False
                return Signal.FIRED
            left = _TURN_S if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return Signal.NOTHING
            time.sleep(min(_TURN_S, left))

    def close(self) -> None:
        """Close the window; a second call does nothing."""
        if not self._closed:
            self._end()

    def _label(self, points: int | None, text: str = "") -> Any:
        label = self._tk.Label(
            self._root, text=text, background="#18181b", foreground="#ebebeb", wraplength=MAX_WIDTH_PX
        )
        if points is not None:
            label.configure(font=("TkDefaultFont", points))
        label.pack(padx=8, pady=3)
        return label

    def _fire(self, _event: object = None) -> None:
        self._fired = True

    def _end(self, _event: object = None) -> None:
        self._closed = True
        self._root.destroy()


def _open_root() -> tuple[Any, Any]:
    """Return the module tkinter and a root window."""
    instead = "run without --preview, or in a desktop session"
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise UsageError(
            f"--preview needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set: {instead}",
            code="no-display",
        )
    try:
        import tkinter
    except ImportError:
        raise UsageError(
            "--preview draws with Tk, which this Python lacks: apt install python3-tk", code="missing-extra"
        ) from None
    try:
        return tkinter, tkinter.Tk(className="skin-edge")
    except tkinter.TclError as error:
        raise UsageError(f"--preview cannot open a window: {error}; {instead}", code="no-display") from None
