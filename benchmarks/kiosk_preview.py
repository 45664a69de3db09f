"""Does watching the live picture slow a capture? Captures with and without watchers, in turns.

    python benchmarks/kiosk_preview.py --captures 40 --watchers 4 --out docs/results/kiosk_preview.csv

The camera is `fault:none`, in the capture process and under the supervisor of a real one. A round is one
capture without and one with watchers, in an order that changes, so that what else the machine does falls on
both. The figure is the median with over the median without; the goal is at most 1.10.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from kiosk_process import Kiosk, running

#: After watchers came or went, before a capture is timed.
_SETTLE_S = 0.3


def watch(kiosk: Kiosk, stop: threading.Event) -> None:
    """Read the live picture until told to stop, as a browser does."""
    with (
        httpx.Client(base_url=kiosk.http.base_url, timeout=10.0, trust_env=False) as http,
        http.stream("GET", "/preview.mjpg") as stream,
    ):
        for _ in stream.iter_raw():
            if stop.is_set():
                return


def capture_ms(kiosk: Kiosk) -> tuple[float, float]:
    """Return the milliseconds from request to answer, and those of gate, stages and network in them."""
    begun = time.perf_counter()
    answer = kiosk.post("/api/capture", {})
    seconds = time.perf_counter() - begun
    answer.raise_for_status()
    return seconds * 1e3, float(answer.json()["result"]["timing_ms"]["total"])


def with_watchers(kiosk: Kiosk, count: int) -> tuple[float, float]:
    """Return `capture_ms` while so many watch."""
    stop = threading.Event()
    with ExitStack() as stack:
        for _ in range(count):
            thread = threading.Thread(target=watch, args=(kiosk, stop))
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        time.sleep(_SETTLE_S)
        return capture_ms(kiosk)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--source", default="fault:none,size=1280x720,fps=30")
    parser.add_argument("--captures", type=int, default=40, help="rounds")
    parser.add_argument("--watchers", type=int, default=4)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    with running(arguments.source, {}) as kiosk:
        while kiosk.http.get("/healthz").status_code != 200:
            time.sleep(0.1)
        for _ in range(3):
            capture_ms(kiosk)
        for number in range(arguments.captures):
            for watchers in sorted((0, arguments.watchers), reverse=bool(number % 2)):
                time.sleep(_SETTLE_S)
                total, deciding = with_watchers(kiosk, watchers) if watchers else capture_ms(kiosk)
                rows.append({"round": number, "watchers": watchers, "ms": total, "deciding_ms": deciding})
    for column in ("ms", "deciding_ms"):
        without, watched = (
            statistics.median(float(str(row[column])) for row in rows if bool(row["watchers"]) is seen)
            for seen in (False, True)
        )
        print(f"{column}: median {without:.1f} without, {watched:.1f} watched, ratio {watched / without:.3f}")
    if arguments.out:
        with arguments.out.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(
                {k: f"{v:.2f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
            )


if __name__ == "__main__":
    main()
