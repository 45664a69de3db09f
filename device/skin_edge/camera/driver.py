"""What a camera driver is: the thin protocol between the capture process and one kind of camera.

A driver runs in a process of its own (`worker.py`) and may hang, crash or lie there: nothing here guards
against that, and no driver has to. The supervisor does, from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]

#: What may be wrong with one picture. Such a picture is withheld and the next one is waited for.
BadKind = Literal["wrong-size", "torn", "garbage", "black", "frozen"]


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """What a driver is told; the settings' section `camera` without what only the supervisor needs.

    Attributes:
        width, height: pixels wanted; None for the camera's own choice.
        fps: frames a second wanted; None for the camera's own choice.
        pixel_format: `mjpg` or `yuyv` on the wire of a USB camera; None for its own choice.
        exposure_us: microseconds; None for automatic.
        gain: analogue gain (picamera2) or the camera's own unit (v4l2); None for automatic.
        autofocus: `continuous`, `once` (at opening) or `off`.
        focus: dioptres (picamera2) or the camera's own unit (v4l2), with autofocus `off`; None leaves it.
        awb: `auto`, or `lock`: settle, then keep the white balance until the camera is opened again.
        colour_gains: red and blue gain for a locked white balance (picamera2); None keeps what settled.
        white_balance_k: colour temperature in kelvin for a locked white balance (v4l2); None likewise.
        settle_s: seconds for exposure and white balance to settle before the first frame.
        read_timeout_s: seconds a driver may wait for one frame where its library can be told so.
        preview_width: pixels of the small preview picture's longer side.
        black_level: a picture is black where no sample is above this.
        check_torn: look for torn pictures and for noise in the place of a picture.
        check_frozen: withhold a picture that is bit for bit the one before it.
        check_black: withhold black pictures.
        attempt: how often this camera was started before, 0 at first; only fault cameras ask.
        since_fault_s: seconds since it last failed after having been open; None where it never did; only
            fault cameras ask.
    """

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    pixel_format: str | None = None
    exposure_us: int | None = None
    gain: float | None = None
    autofocus: str = "continuous"
    focus: float | None = None
    awb: str = "auto"
    colour_gains: tuple[float, float] | None = None
    white_balance_k: int | None = None
    settle_s: float = 0.5
    read_timeout_s: float = 5.0
    preview_width: int = 320
    black_level: int = 8
    check_torn: bool = True
    check_frozen: bool = True
    check_black: bool = True
    attempt: int = 0
    since_fault_s: float | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a camera granted.

    Attributes:
        width, height: pixels of every frame from now on.
        name: what the camera calls itself.
        notes: one line for each thing that was asked for and not granted.
        details: what else it says of itself, for the log: driver, format on the wire and so on.
    """

    width: int
    height: int
    name: str
    notes: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)


class BadFrameError(Exception):
    """One picture that must not be used; the camera goes on.

    Args:
        kind: what is wrong.
        detail: the same for a person.
    """

    def __init__(self, kind: BadKind, detail: str) -> None:
        super().__init__(detail)
        self.kind: BadKind = kind


class Driver(Protocol):
    """One kind of camera. Made, opened, read and closed by one thread of the capture process."""

    def open(self) -> Opened:
        """Open the camera and apply the settings.

        Raises:
            CameraError: it cannot be opened; the message says what to do.
        """

    def read(self, out: Rgb) -> Mapping[str, str]:
        """Wait for the next picture and write it into `out`, (height, width, 3) uint8 RGB.

        Returns:
            What the camera says of it: exposure, gain and so on, as text.

        Raises:
            BadFrameError: this picture cannot be used.
            CameraError: the camera is lost or broken.
        """

    def preview(self) -> Rgb | None:
        """Return a small (h, w, 3) uint8 RGB picture of the last read where it costs next to nothing.

        None has the preview made from the full picture.
        """

    def close(self) -> None:
        """Let go of the camera."""


def fill(out: Rgb, rgb: Rgb) -> None:
    """Copy a picture into `out`.

    Raises:
        BadFrameError: it has another size or type than the camera granted.
    """
    check_shape(rgb, out)
    np.copyto(out, rgb)


def check_shape(picture: npt.NDArray[np.generic], out: Rgb) -> None:
    """Refuse a picture of another shape or type than `out`.

    Raises:
        BadFrameError: `wrong-size`.
    """
    if picture.shape != out.shape or picture.dtype != np.uint8:
        raise BadFrameError(
            "wrong-size",
            f"the camera sent {_size(picture.shape)} of {picture.dtype}, agreed was {_size(out.shape)}",
        )


def _size(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[2] == 3:
        return f"{shape[1]}x{shape[0]}"
    return "x".join(str(n) for n in shape)
