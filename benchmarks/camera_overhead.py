"""What the process of its own costs: a 1920x1080 camera in this process, and under supervision.

    python benchmarks/camera_overhead.py [--frames 200] [--out docs/results/camera_overhead.csv]

The camera is `fault:none`: it only writes its picture. Each figure is the median over all frames, one frame
being asked for after the other, without a pause:

    in-process      driver.read into one array, and a copy to keep, as the supervised source makes one
    in-process,     the same with the checks for black, frozen, torn pictures, which the capture process makes
      checked
    supervised      source.read: ask, wait for the next picture, copy it out of the shared memory
    hand-over       from the picture's time stamp in the capture process, taken before the checks, to the end
                    of source.read in this one: checks, a message, a thread, a copy
    previewed       as supervised, with a preview fetched after every frame
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skin_edge.camera import FrameSource, open_source
from skin_edge.camera.checks import FrameChecks
from skin_edge.camera.driver import DriverSettings
from skin_edge.camera.drivers.fault import FaultDriver

PLAN = "none,size=1920x1080,fps=10000"


def timed(step: Callable[[], object], frames: int) -> list[float]:
    """Return milliseconds of each call, the first few left out."""
    times = []
    for number in range(frames + 5):
        started = time.perf_counter()
        step()
        if number >= 5:
            times.append((time.perf_counter() - started) * 1e3)
    return times


def in_process(frames: int, *, checked: bool) -> list[float]:
    """Read the driver directly."""
    driver = FaultDriver(PLAN, DriverSettings())
    granted = driver.open()
    out = np.zeros((granted.height, granted.width, 3), np.uint8)
    checks = FrameChecks(DriverSettings())

    def step() -> object:
        driver.read(out)
        if checked:
            checks.check(out)
        return out.copy()

    return timed(step, frames)


def supervised(frames: int, *, previewed: bool) -> tuple[list[float], list[float]]:
    """Read through the capture process; return the times of read, and of the hand-over."""
    waits: list[float] = []

    def step(source: FrameSource) -> object:
        frame = source.read()
        if frame is None:
            raise RuntimeError("the camera ended")
        waits.append((time.monotonic() - frame.monotonic_s) * 1e3)
        if previewed:
            source.preview()
        return frame

    with open_source(f"fault:{PLAN}") as source:
        times = timed(lambda: step(source), frames)
    return times, waits[5:]


def main() -> int:
    """Measure and print; write the table where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    bare = in_process(options.frames, checked=False)
    checked = in_process(options.frames, checked=True)
    through, handed = supervised(options.frames, previewed=False)
    previewed, _ = supervised(options.frames, previewed=True)
    header = ("what", "median_ms", "p95_ms", "over_in_process_ms")
    rows = []
    for name, times in (
        ("in-process", bare), ("in-process, checked", checked), ("supervised", through),
        ("supervised, previewed", previewed), ("hand-over", handed),
    ):  # fmt: skip
        median = statistics.median(times)
        over = "" if name == "hand-over" else f"{median - statistics.median(bare):.2f}"
        rows.append((name, f"{median:.2f}", f"{statistics.quantiles(times, n=20)[-1]:.2f}", over))
    for row in (header, *rows):
        print(("{:<24}" + "{:>20}" * 3).format(*row))
    if options.out is not None:
        with options.out.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
