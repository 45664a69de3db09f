"""Every camera fault many times over, through the real capture process and supervisor.

    python benchmarks/camera_faults.py [--tries 100] [--parallel 2] [--out docs/results/camera_faults.csv]

Each fault is tried twice over: once so that it passes (the camera must come back) and once so that it stays
(the source must end with exit status 3 and the cause named). The time-outs are short, and stated in the
first line of the table, so that this takes minutes; detection follows the time-out that is set.

    detection   from the last good picture (hang-open: from the start, hang-close: from the call of close) to
                the report of the fault
    recovery    from that report to the next good picture, back-off and the start of a process included

Descriptors, child processes and shared memory before and after must be the same; resident memory of this
process is in the table.
"""

from __future__ import annotations

import argparse
import csv
import gc
import re
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from skin_edge.camera import open_source
from skin_edge.camera.events import FAULT_CODES, CameraEvent
from skin_edge.errors import CameraError
from skin_edge.sections import CameraConfig

SETTINGS = CameraConfig(
    open_timeout_s=15.0,
    read_timeout_s=0.5,
    close_timeout_s=1.0,
    bad_s=0.2,
    black_s=0.2,
    frozen_s=0.2,
    restarts=8,
    backoff_s=0.05,
    backoff_max_s=0.5,
)

#: Source, the fault that must be reported, and words that name its cause.
FAULTS = (
    ("hang-open", "hang-open", "hangs in opening"),
    ("hang-read", "hang-read", "hangs: no picture"),
    ("hang-close", "hang-close", "hangs in closing"),
    ("unplug,for=0.3", "unplug", "unplugged"),
    ("error", "error", "input/output error"),
    ("crash", "crash", "SIGSEGV"),
    ("black", "black", "black pictures"),
    ("frozen", "frozen", "bit for bit"),
    ("torn", "torn", "breaks off"),
    ("garbage", "garbage", "noise"),
    ("wrong-size", "wrong-size", "agreed was"),
    ("slow,for=5", "hang-read", "hangs: no picture"),
)

FRAMES_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Try:
    """What came of one try; times in seconds, None where there was none."""

    outcome: str
    detection_s: float | None
    recovery_s: float | None


def attempt(text: str, kind: str, words: str, *, stays: bool) -> Try:
    """Run one camera through one fault."""
    events: list[CameraEvent] = []
    settings = SETTINGS
    if kind == "hang-open":  # a start takes most of a second beside other work
        settings = msgspec.structs.replace(settings, open_timeout_s=2.0)
    if stays:
        text = re.sub(r",for=0[.]3$", ",for=1000", text) + ",times=0"
        settings = msgspec.structs.replace(settings, restarts=1)
    started = time.monotonic()
    good = [started]
    recovered_at = None
    try:
        with open_source(f"fault:{text}", camera=settings, on_event=events.append) as source:
            for _ in range(FRAMES_AT_MOST):
                frame = source.read()
                if frame is None:
                    return Try("ended without a cause", None, None)
                seen = [event for event in events if event.kind == kind]
                if seen and frame.monotonic_s > seen[-1].monotonic_s:
                    recovered_at = recovered_at or frame.monotonic_s
                    if not stays:
                        break
                good.append(frame.monotonic_s)
                if kind == "hang-close":
                    break
            if kind == "hang-close":
                good.append(time.monotonic())
    except CameraError as error:
        told = error.exit_code == 3 and error.code == FAULT_CODES[kind] and words in str(error)
        outcome = "exited 3, cause named" if told else f"exited with {error.code}: {error}"
    else:
        outcome = "recovered" if recovered_at is not None else "no fault seen"
    first = next((event for event in events if event.kind == kind), None)
    if kind == "hang-close" and first is not None:
        with open_source("fault:none", camera=SETTINGS) as source:  # it was killed: is the way free?
            outcome = "killed, opens again" if source.read() is not None else "does not open again"
    others = {event.kind for event in events} & set(FAULT_CODES) - {kind}
    if others:
        outcome += f" (also {', '.join(sorted(others))})"
    detection = None if first is None else first.monotonic_s - max(t for t in good if t < first.monotonic_s)
    recovery = None if first is None or recovered_at is None else recovered_at - first.monotonic_s
    return Try(outcome, detection, recovery)


def left() -> tuple[int, int, int]:
    """Count descriptors, children (zombies among them) and names in /dev/shm."""
    gc.collect()
    this = psutil.Process()
    ours = [path for path in Path("/dev/shm").iterdir() if path.owner() == this.username()]
    return this.num_fds(), len(this.children()), len(ours)


def ms(values: list[float | None]) -> tuple[str, str]:
    """Return median and maximum as text."""
    known = [value * 1e3 for value in values if value is not None]
    return (f"{statistics.median(known):.0f}", f"{max(known):.0f}") if known else ("", "")


def main() -> int:
    """Run all and write the table; 1 where any try ended otherwise than it should, or something is left."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with open_source("fault:none", camera=SETTINGS) as source:  # loads what is loaded once
        source.read()
    with ThreadPoolExecutor(options.parallel) as pool:
        list(pool.map(time.sleep, [0.1] * options.parallel))
        rows = [
            run(pool, fault, stays=stays, tries=options.tries)
            for fault in FAULTS
            if options.only in fault[0]
            for stays in (False, True)
            if not (stays and fault[1] == "hang-close")
        ]
    header = (
        "fault", "stays", "tries", "outcome", "as_expected", "detection_ms_median", "detection_ms_max",
        "recovery_ms_median", "recovery_ms_max", "descriptors", "children", "dev_shm", "rss_mb",
    )  # fmt: skip
    if options.out is not None:
        with options.out.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerows([header, *rows])
    return 0 if all(row[4] == row[2] for row in rows) else 1


def run(
    pool: ThreadPoolExecutor, fault: tuple[str, str, str], *, stays: bool, tries: int
) -> tuple[object, ...]:
    """Try one fault; return its row."""
    text, kind, words = fault
    before = left()
    rss_before = psutil.Process().memory_info().rss
    results = list(pool.map(lambda _: attempt(text, kind, words, stays=stays), range(tries)))
    after = left()
    rss_after = psutil.Process().memory_info().rss
    wanted = "exited 3, cause named" if stays else "recovered"
    if kind == "hang-close":
        wanted = "killed, opens again"
    counts: dict[str, int] = {}
    for result in results:
        counts[result.outcome] = counts.get(result.outcome, 0) + 1
    good = sum(n for outcome, n in counts.items() if outcome.startswith(wanted))
    row = (
        text, "yes" if stays else "no", tries, "; ".join(f"{n} {o}" for o, n in sorted(counts.items())), good,
        *ms([r.detection_s for r in results]), *ms([r.recovery_s for r in results]),
        *(f"{b} -> {a}" for b, a in zip(before, after, strict=True)),
        f"{rss_before / 1e6:.1f} -> {rss_after / 1e6:.1f}",
    )  # fmt: skip
    print(*row, sep=" | ", flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
