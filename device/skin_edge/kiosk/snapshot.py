"""What the kiosk knows of itself at a moment, and the object of `/api/state` made of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

from skin_edge.frame import QualityReport
from skin_edge.results.record import Machine, ModelRef, utc_timestamp


@dataclass(frozen=True, slots=True)
class CameraState:
    """How the camera is.

    Attributes:
        state: ``opening`` before its first picture, ``ok``, or ``lost`` while it is opened again and again.
        cause: why it is lost, one line.
        name: the source as the user wrote it.
    """

    state: Literal["opening", "ok", "lost"]
    cause: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Look:
    """What the last frame looked like.

    Attributes:
        hints: reasons of the quality gate against it.
        focus: 0 to 1, 0.5 where the gate begins to call it blurred; None where focus is not judged.
        light: mean luma, 0 (black) to 1 (white).
    """

    hints: tuple[str, ...] = ()
    focus: float | None = None
    light: float | None = None

    @classmethod
    def of(cls, report: QualityReport, min_focus: float) -> Look:
        """Return the look of a frame that the gate has measured."""
        focus = max(0.0, report.metrics["focus"])
        return cls(
            hints=report.reasons,
            focus=focus / (focus + min_focus) if min_focus > 0 else None,
            light=report.metrics["luma_mean"] / 255.0,
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the station; a new one with every change.

    Attributes:
        camera: how the camera is.
        machine: temperature, power and clock.
        free_mb: free room of the state folder, in units of a million bytes; None before it was looked at.
        disk_low: there is less of it than the settings' `health.warn_free_mb`.
        model: which network answers.
        busy: a capture is under way.
        look: what the last frame looked like.
        frame_s: when the last frame was read, on the monotonic clock; None before the first.
        classified_s: when a frame was last classified, likewise.
    """

    camera: CameraState
    machine: Machine
    free_mb: int | None = None
    disk_low: bool = False
    model: ModelRef | None = None
    busy: bool = False
    look: Look = Look()
    frame_s: float | None = None
    classified_s: float | None = None


def state_object(snapshot: Snapshot, *, consent: bool, locked: bool) -> dict[str, Any]:
    """Return the object that the page is told, as plain data.

    Args:
        snapshot: of the station.
        consent: the notice of the first run was accepted.
        locked: this client may not change settings.
    """
    camera, machine, model = snapshot.camera, snapshot.machine, snapshot.model
    return {
        "camera": {"state": camera.state, "cause": camera.cause, "name": camera.name},
        "machine": {
            "temperature_c": machine.temperature_c,
            "throttled": machine.throttled,
            "under_voltage": machine.under_voltage,
        },
        "disk": {"free_mb": snapshot.free_mb, "low": snapshot.disk_low},
        "model": None if model is None else {"name": model.name, "version": model.version},
        "clock": {"ok": machine.clock != "unset", "utc": utc_timestamp(time.time())},
        "busy": snapshot.busy,
        "consent": consent,
        "locked": locked,
        "hints": list(snapshot.look.hints),
        "focus": _rounded(snapshot.look.focus),
        "light": _rounded(snapshot.look.light),
        "last_frame_age_s": age_s(snapshot.frame_s),
    }


def age_s(moment_s: float | None) -> float | None:
    """Return the seconds since a moment on the monotonic clock, to a tenth; None where there was none."""
    return None if moment_s is None else round(max(0.0, time.monotonic() - moment_s), 1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
