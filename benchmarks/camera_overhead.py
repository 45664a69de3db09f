"""What the process of its own costs: a 1920x1080 camera in this process, and under supervision.

    python benchmarks/camera_overhead.py [--frames 200] [--out docs/results/camera_overhead.csv]

The camera is `fault:none`: it only writes its picture. One frame is asked for after the other, without a
pause. Times on the wall are medians, with the tenth percentile for a machine that is busy; processor time
is that of all threads of this process, and of the capture process, each by the frames that it handled:

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
import psutil

from skin_edge.camera import FrameSource, open_source
from skin_edge.camera.checks import FrameChecks
from skin_edge.camera.driver import DriverSettings
from skin_edge.camera.drivers.fault import FaultDriver

PLAN = "none,size=1920x1080,fps=10000"


def timed(step: Callable[[], object], frames: int) -> tuple[list[float], float]:
    """Return milliseconds of each call, and of processor time a call; the first few are left out."""
    for _ in range(5):
        step()
    times = []
    began = time.process_time()
    for _ in range(frames):
        started = time.perf_counter()
        step()
        times.append((time.perf_counter() - started) * 1e3)
    return times, (time.process_time() - began) * 1e3 / frames


def in_process(frames: int, *, checked: bool) -> tuple[list[float], float]:
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


def supervised(frames: int, *, previewed: bool) -> tuple[list[float], float, list[float], float]:
    """Read through the capture process; return the times of read, of the hand-over, and its CPU per frame."""
    waits: list[float] = []
    made = 0

    def step(source: FrameSource) -> object:
        nonlocal made
        frame = source.read()
        if frame is None:
            raise RuntimeError("the camera ended")
        made = int(frame.name.rpartition("#")[2])
        waits.append((time.monotonic() - frame.monotonic_s) * 1e3)
        if previewed:
            source.preview()
        return frame

    with open_source(f"fault:{PLAN}") as source:
        source.read()
        (child,) = psutil.Process().children()
        first, before = made, child.cpu_times()
        times, cpu_ms = timed(lambda: step(source), frames)
        after = child.cpu_times()
    spent_s = after.user + after.system - before.user - before.system
    return times, cpu_ms, waits[6:], spent_s * 1e3 / max(1, made - first)


def main() -> int:
    """Measure and print; write the table where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    frames = options.frames
    header = ("what", "median_ms", "p10_ms", "cpu_here_ms", "cpu_capture_process_ms")
    rows: list[tuple[str, str, str, str, str]] = []

    def add(name: str, times: list[float], cpu_ms: float | None, child_ms: float | None) -> None:
        here = "" if cpu_ms is None else f"{cpu_ms:.2f}"
        child = "" if child_ms is None else f"{child_ms:.2f}"
        tenth = statistics.quantiles(times, n=10)[0]
        rows.append((name, f"{statistics.median(times):.2f}", f"{tenth:.2f}", here, child))

    for checked in (False, True):
        times, cpu_ms = in_process(frames, checked=checked)
        add("in-process, checked" if checked else "in-process", times, cpu_ms, None)
    for previewed in (False, True):
        times, cpu_ms, handed, child_ms = supervised(frames, previewed=previewed)
        name = "supervised, previewed" if previewed else "supervised"
        add(name, times, cpu_ms, child_ms)
        if not previewed:
            add("hand-over", handed, None, None)
    for row in (header, *rows):
        print(("{:<24}" + "{:>24}" * 4).format(*row))
    if options.out is not None:
        with options.out.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
