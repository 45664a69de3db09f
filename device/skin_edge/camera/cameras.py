"""Opens a camera: checks its text, and hands the settings to the driver and the supervisor."""

from __future__ import annotations

import re

from skin_edge.camera.budget import RestartBudget
from skin_edge.camera.driver import DriverSettings
from skin_edge.camera.events import OnEvent
from skin_edge.camera.supervise import SupervisedSource
from skin_edge.camera.watch import Limits
from skin_edge.errors import UsageError
from skin_edge.sections import CameraConfig


def open_camera(
    text: str,
    kind: str,
    rest: str,
    *,
    fps: float | None,
    camera: CameraConfig | None,
    on_event: OnEvent | None,
) -> SupervisedSource:
    """Open a camera in a process of its own.

    Args:
        text: the source as the user wrote it.
        kind: of driver, a key of `drivers.DRIVERS`.
        rest: of the text, after the kind.
        fps: pictures a second at most.
        camera: the settings; None for the defaults.
        on_event: told of faults and recoveries.

    Raises:
        UsageError: the text makes no sense.
        CameraError: the camera cannot be opened.
    """
    _check_text(text, kind, rest)
    camera = camera or CameraConfig()
    return SupervisedSource(
        text,
        kind,
        rest,
        settings=driver_settings(camera),
        limits=Limits(
            open_s=camera.open_timeout_s,
            read_s=camera.read_timeout_s,
            close_s=camera.close_timeout_s,
            bad_s=camera.bad_s,
            black_s=camera.black_s,
            frozen_s=camera.frozen_s,
        ),
        budget=RestartBudget(
            restarts=camera.restarts,
            window_s=camera.restart_window_s,
            backoff_s=camera.backoff_s,
            backoff_max_s=camera.backoff_max_s,
            jitter=camera.backoff_jitter,
        ),
        fps=fps,
        on_event=on_event,
    )


def driver_settings(camera: CameraConfig) -> DriverSettings:
    """Return the part of the settings that a driver is told."""
    return DriverSettings(
        width=camera.width,
        height=camera.height,
        fps=camera.fps,
        pixel_format=camera.pixel_format,
        exposure_us=camera.exposure_us,
        gain=camera.gain,
        autofocus=camera.autofocus,
        focus=camera.focus,
        awb=camera.white_balance,
        colour_gains=camera.colour_gains,
        white_balance_k=camera.white_balance_k,
        settle_s=camera.settle_s,
        read_timeout_s=camera.read_timeout_s,
        preview_width=camera.preview_width,
        black_level=camera.black_level,
        check_torn=camera.check_torn,
        check_frozen=camera.frozen_s is not None,
        check_black=camera.black_s is not None,
    )


def _check_text(text: str, kind: str, rest: str) -> None:
    if kind == "fault":
        from skin_edge.camera.drivers.fault import parse_plan

        parse_plan(rest)
        return
    forms = {
        "auto": ("", "auto"),
        "picamera2": ("([0-9]{1,2})?", "picamera2 or picamera2:1"),
        "v4l2": ("[0-9]{1,3}|/.+", "v4l2:0 or v4l2:/dev/video0"),
        "gst": (r"(?s:.*\S.*)", "gst:PIPELINE, for example 'gst:videotestsrc ! videoconvert ! appsink'"),
    }
    pattern, example = forms[kind]
    if re.fullmatch(pattern, rest, re.ASCII) is None:
        raise UsageError(f"source {text!r}: expected {example}; without a camera, try demo:7")
