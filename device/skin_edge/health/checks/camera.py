"""The configured camera: does it give a frame, in a process that can be killed if it hangs.

python -m skin_edge.health.checks.camera SOURCE CAMERA

is the child's side: CAMERA is the section `camera` of the settings as JSON; one JSON object on stdout.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import msgspec

from skin_edge.config import SYSTEM_CONFIG
from skin_edge.errors import HealthError
from skin_edge.health.checks.check import Context, Finding
from skin_edge.health.checks.child import how_it_ended, run_child
from skin_edge.sections import DEFAULT_SOURCE, CameraConfig
from skin_edge.service import unit
from skin_edge.service.endpoint import ask, page_url
from skin_edge.service.layout import UNIT
from skin_edge.strict import Strict

#: A lens cap or a dead sensor: even a dark room is brighter on average (8-bit grey levels).
_BLACK_LUMA = 4.0
#: Seconds for Python and OpenCV to start in the child, over what the settings grant the camera itself.
_START_S = 10.0
#: One unreadable picture in a folder is no broken source.
_TRIES = 3


class Probe(Strict, frozen=True):
    """What the child says: the first frame, or why there is none; `seconds` from opening to that frame."""

    width: int = 0
    height: int = 0
    luma_mean: float = 0.0
    seconds: float = 0.0
    unusable: int = 0
    error: str | None = None
    code: str = ""


def check_camera(context: Context) -> Finding:
    """Open the source that is configured, take a frame within the time-out, and look at it."""
    source = context.source
    # Once: a camera that has to be started again to give a frame is not in order.
    camera = msgspec.structs.replace(context.settings.camera, restarts=0)
    timeout_s = camera.open_timeout_s + camera.read_timeout_s + _START_S
    try:
        probe = _ask_child(source, camera, timeout_s)
    except subprocess.TimeoutExpired:
        return Finding(
            status="fail",
            message=f"{source}: no frame within {timeout_s:g} s",
            fix="close other programs that use it, unplug it and plug it in again, or restart the machine",
            data={"source": source, "code": "camera-timeout"},
        )
    if probe.error is not None:
        if (served := _in_use_by_the_service(context)) is not None:
            return served
        return Finding(
            status="fail",
            message=probe.error,
            fix="check the cable and capture.source, or name another: skin-edge doctor --source demo",
            data={"source": source, "code": probe.code},
        )
    data = {"source": source} | msgspec.to_builtins(probe)
    told = f"{source}: {probe.width} x {probe.height} after {probe.seconds:.1f} s"
    smallest = context.settings.quality.min_side_px
    if probe.luma_mean < _BLACK_LUMA:
        return Finding(
            status="warn",
            message=f"{told}, but the frame is black",
            fix="take the cap off, switch the light on, and check the exposure",
            data=data,
        )
    if min(probe.width, probe.height) < smallest:
        return Finding(
            status="warn",
            message=f"{told}: the quality gate refuses a side below {smallest} px",
            fix="choose a larger resolution of the camera",
            data=data,
        )
    if probe.unusable:
        return Finding(
            status="warn",
            message=f"{told}, but {probe.unusable} before it could not be used",
            fix="look at the pictures of that source",
            data=data,
        )
    return Finding(status="ok", message=told, data=data)


def _in_use_by_the_service(context: Context) -> Finding | None:
    """A finding where the camera cannot be opened because the service has it, and gets frames from it."""
    settings = context.settings
    own = context.source == (settings.capture.source or DEFAULT_SOURCE)
    # Settings of the user's own may name another camera than the service has.
    if not own or context.config_path not in (None, SYSTEM_CONFIG) or not unit.systemd_runs(context.root):
        return None
    try:
        active = unit.show(UNIT).get("ActiveState") == "active"
    except HealthError:
        return None
    health = ask(page_url(settings.kiosk)) if active else None
    if health is None or not health.ok:
        return None
    return Finding(
        status="ok",
        message=f"{context.source}: {UNIT} has it; {health.why}",
        data={"source": context.source, "used_by": UNIT},
    )


def _ask_child(source: str, camera: CameraConfig, timeout_s: float) -> Probe:
    done = run_child(__name__, source, msgspec.json.encode(camera).decode(), timeout_s=timeout_s)
    try:
        return msgspec.json.decode(done.stdout, type=Probe)
    except msgspec.DecodeError:
        return Probe(error=f"{source}: the camera's driver {how_it_ended(done)}", code="camera-crashed")


def _probe(source: str, camera: CameraConfig) -> Probe:
    from skin_edge.camera.source import open_source
    from skin_edge.errors import CameraError, ImageError, SkinEdgeError

    started = time.perf_counter()
    unusable = 0
    last: SkinEdgeError = CameraError(f"{source}: the source gave no frame")
    try:
        with open_source(source, camera=camera) as frames:
            while unusable < _TRIES:
                try:
                    frame = frames.read()
                except ImageError as error:
                    unusable, last = unusable + 1, error
                    continue
                if frame is None:
                    break
                height, width = frame.pixels.shape[:2]
                luma = float(frame.pixels[:: max(1, height // 200), :: max(1, width // 200)].mean())
                seconds = time.perf_counter() - started
                return Probe(width=width, height=height, luma_mean=luma, seconds=seconds, unusable=unusable)
    except SkinEdgeError as error:
        last = error
    return Probe(error=str(last), code=last.code, unusable=unusable)


if __name__ == "__main__":
    told = _probe(sys.argv[1], msgspec.json.decode(sys.argv[2], type=CameraConfig))
    sys.stdout.buffer.write(msgspec.json.encode(told))
    sys.stdout.flush()
    # A driver that hangs on close has given its frame all the same.
    os._exit(0)
