"""All that one run of `skin-edge bench` measured, as one structure: the JSON that it prints."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import cv2
import numpy as np

from skin_edge import __version__
from skin_edge.health.bench.cold import ColdStart
from skin_edge.health.bench.measure import Spread
from skin_edge.health.bench.sustained import Sustained
from skin_edge.health.sysfs import board
from skin_edge.strict import Strict


class MachineInfo(Strict, frozen=True):
    """What was measured on."""

    board: str | None
    architecture: str
    cores: int
    python: str
    numpy: str
    opencv: str
    runtime: str
    skin_edge: str


class Report(Strict, frozen=True):
    """One run.

    Attributes:
        machine: what was measured on.
        model: name and version of the bundle.
        source: where the frames came from.
        width, height: of the first frame, pixels.
        threads: of the runtime.
        steps: from a frame to a durable row, by step; the sum last.
        cold: from nothing to the first result; None where that was left out.
        sustained: at full speed; None where that was left out.
        peak_mb: largest resident size of this process, MB.
    """

    machine: MachineInfo
    model: str
    source: str
    width: int
    height: int
    threads: int
    steps: dict[str, Spread]
    cold: ColdStart | None
    sustained: Sustained | None
    peak_mb: float


def this_machine() -> MachineInfo:
    """Return board, cores and versions."""
    return MachineInfo(
        board=board(),
        architecture=platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        numpy=np.__version__,
        opencv=cv2.__version__,
        runtime=_runtime(),
        skin_edge=__version__,
    )


def _runtime() -> str:
    for name in ("ai-edge-litert", "tflite-runtime"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "not a package"
