"""Cameras that fail on purpose, in the very process and under the very supervisor that real ones run in.

fault:KIND[,KEY=VALUE...]

KIND   none hang-open hang-read hang-close unplug wrong-size garbage torn black frozen slow crash error,
       or mixed: at every start another of those that come while it runs, by chance
after  good pictures before the fault (default 3; hang-open and hang-close have no use for it)
times  how many starts of the camera have the fault (default 1; 0: every one)
for    seconds that an unplugged camera stays away (default 0.5), or that a slow one takes for a picture
       (default 0.3)
fps    pictures a second (default 30)
size   WIDTHxHEIGHT (default 320x240)
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from skin_edge.camera.driver import DriverSettings, Opened, Rgb, fill
from skin_edge.errors import CameraError, UsageError

FAULTS: Final = (
    "none", "hang-open", "hang-read", "hang-close", "unplug", "wrong-size", "garbage", "torn", "black",
    "frozen", "slow", "crash", "error", "mixed",
)  # fmt: skip

#: What `mixed` leaves out: no fault, itself, what only shows at the end, and what needs no restart: it would
#: be the last one.
_NOT_MIXED: Final = frozenset({"none", "mixed", "hang-close", "slow"})

_FOREVER_S: Final = 1e6


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What fails, and when. The attributes are the keys of the source's text."""

    kind: str
    after: int = 3
    times: int = 1
    for_s: float | None = None
    fps: float = 30.0
    width: int = 320
    height: int = 240


def parse_plan(rest: str) -> FaultPlan:
    """Read the part of the text behind `fault:`.

    Raises:
        UsageError: no such fault or key, or a value that is none.
    """
    kind, *pairs = rest.split(",")
    if kind not in FAULTS:
        raise UsageError(
            f"source 'fault:{rest}': no such fault {kind!r}; expected one of {', '.join(FAULTS)}"
        )
    readers: dict[str, Callable[[str], dict[str, object]]] = {
        "after": lambda value: {"after": _number(value, int, 0, 10**9)},
        "times": lambda value: {"times": _number(value, int, 0, 10**9)},
        "for": lambda value: {"for_s": _number(value, float, 0.0, 1e6)},
        "fps": lambda value: {"fps": _number(value, float, 0.01, 1e4)},
        "size": _size,
    }
    values: dict[str, object] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        try:
            values.update(readers[key](value))
        except (KeyError, ValueError):
            raise UsageError(
                f"source 'fault:{rest}': cannot use {pair!r}; expected after=3, times=1, for=0.5, fps=30 or "
                "size=320x240"
            ) from None
    return FaultPlan(kind, **values)  # type: ignore[arg-type]


def _number(text: str, kind: Callable[[str], float], low: float, high: float) -> float:
    number = kind(text)
    if not low <= number <= high:
        raise ValueError(text)
    return number


def _size(text: str) -> dict[str, object]:
    width, height = (int(part) for part in text.split("x"))
    if not (16 <= width <= 10_000 and 16 <= height <= 10_000):
        raise ValueError(text)
    return {"width": width, "height": height}


class FaultDriver:
    """A drawn picture with fresh noise, and one fault.

    Args:
        rest: the plan, as `parse_plan` reads it.
        settings: `attempt` and `since_fault_s` say which of the starts this is.
    """

    def __init__(self, rest: str, settings: DriverSettings) -> None:
        plan = parse_plan(rest)
        self._fails = plan.times == 0 or settings.attempt < plan.times
        self._rng = np.random.default_rng()
        if plan.kind == "mixed":
            plan = replace(plan, kind=str(self._rng.choice(sorted(set(FAULTS) - _NOT_MIXED))))
        self._plan = plan
        self._since_fault_s = settings.since_fault_s
        self._number = 0
        self._due_s = 0.0
        rows = np.linspace(90, 200, plan.height)[:, None, None]
        columns = np.linspace(0, 30, plan.width)[None, :, None]
        base = (rows + columns + np.array([20, 0, -20])).clip(0, 250).astype(np.uint8)
        # Noise that is drawn once: a large picture must not take longer to draw than a frame lasts.
        self._base: Rgb = base + self._rng.integers(0, 5, base.shape, np.uint8)

    def open(self) -> Opened:
        """As `Driver`."""
        plan = self._plan
        if plan.kind == "hang-open" and self._fails:
            time.sleep(_FOREVER_S)
        away_s = 0.5 if plan.for_s is None else plan.for_s
        if plan.kind == "unplug" and self._since_fault_s is not None and self._since_fault_s < away_s:
            raise CameraError("no such camera: it is unplugged", code="camera-lost")
        return Opened(plan.width, plan.height, f"fault camera: {plan.kind}")

    def read(self, out: Rgb) -> Mapping[str, str]:
        """As `Driver`."""
        plan = self._plan
        self._wait_for_time()
        failing = self._fails and self._number >= plan.after
        self._number += 1
        if not failing or plan.kind != "frozen":
            np.copyto(out, self._base)
            out[:, : min(64, plan.width)] ^= self._rng.integers(
                0, 4, (plan.height, min(64, plan.width), 3), np.uint8
            )
        if failing:
            self._fail(out)
        return {"exposure_us": "10000", "gain": "1.0"}

    def preview(self) -> Rgb | None:
        """As `Driver`: made from the full picture."""
        return None

    def close(self) -> None:
        """As `Driver`."""
        if self._plan.kind == "hang-close" and self._fails:
            time.sleep(_FOREVER_S)

    def _fail(self, out: Rgb) -> None:
        kind = self._plan.kind
        if kind == "hang-read":
            time.sleep(_FOREVER_S)
        elif kind == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif kind == "error":
            raise CameraError("the driver reports an input/output error", code="camera-error")
        elif kind == "unplug":
            raise CameraError("the camera is gone: it was unplugged", code="camera-lost")
        elif kind == "wrong-size":
            fill(out, np.zeros((self._plan.height // 2, self._plan.width // 2, 3), np.uint8))
        elif kind == "garbage":
            out[:] = self._rng.integers(0, 256, out.shape, np.uint8)
        elif kind == "torn":
            out[out.shape[0] * 2 // 3 :] = (0, 135, 0)
        elif kind == "black":
            out[:] = self._rng.integers(0, 3, out.shape, np.uint8)
        elif kind == "frozen":
            np.copyto(out, self._base)
        elif kind == "slow":
            time.sleep(0.3 if self._plan.for_s is None else self._plan.for_s)

    def _wait_for_time(self) -> None:
        now = time.monotonic()
        if now < self._due_s:
            time.sleep(self._due_s - now)
        self._due_s = max(now, self._due_s) + 1.0 / self._plan.fps
