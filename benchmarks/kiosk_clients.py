"""Many pages at once for minutes: does anything grow, does anything stall?

    python benchmarks/kiosk_clients.py --clients 50 --minutes 10 --out docs/results/kiosk_clients.csv

Each client is a page: it loads `/` and what that names, keeps the live picture and the events open, and is
loaded anew every minute. Every fifth client reads slowly. One capture is made every ten seconds meanwhile.
What is told: resident memory and descriptors of the kiosk over the time (slopes over the second half, from
medians of its first and last third), the longest gap between two pictures of any client that is not slow, and
errors.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import math
import re
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from kiosk_process import Kiosk, running

_CAPTURE_S = 10.0
_SAMPLE_S = 5.0
_SLOW_EVERY = 5
_ASSET = re.compile(r'(?:src|href)="(/static/[^"]+)"')


@dataclass
class Seen:
    """What the clients saw."""

    pictures: int = 0
    events: int = 0
    loads: int = 0
    captures: int = 0
    longest_gap_s: float = 0.0
    machine_gap_s: float = 0.0
    errors: list[str] = field(default_factory=list)


async def watch(http: httpx.AsyncClient, seen: Seen, until: float, *, slow: bool) -> None:
    """Keep the live picture open until a moment of the monotonic clock."""
    last: float | None = None
    async with http.stream("GET", "/preview.mjpg") as stream:
        stream.raise_for_status()
        async for chunk in stream.aiter_raw():
            now = time.monotonic()
            count = chunk.count(b"--skin-edge-frame\r\n")
            if count and not slow:
                seen.pictures += count
                if last is not None:
                    seen.longest_gap_s = max(seen.longest_gap_s, now - last)
                last = now
            if now >= until:
                return
            if slow:
                await asyncio.sleep(0.5)


async def listen(http: httpx.AsyncClient, seen: Seen, until: float) -> None:
    """Keep the events open, likewise."""
    async with http.stream("GET", "/api/events") as stream:
        stream.raise_for_status()
        async for line in stream.aiter_lines():
            seen.events += line.startswith("event: ")
            if time.monotonic() >= until:
                return


async def page(url: str, seen: Seen, end: float, number: int, reload_s: float) -> None:
    """Be one page until the end, loaded anew now and then."""
    while time.monotonic() < end:
        until = min(end, time.monotonic() + reload_s + number % 7)
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False) as http:
                html = await http.get("/")
                html.raise_for_status()
                for asset in _ASSET.findall(html.text):
                    (await http.get(asset.replace("&amp;", "&"))).raise_for_status()
                seen.loads += 1
                await asyncio.gather(
                    watch(http, seen, until, slow=number % _SLOW_EVERY == 0), listen(http, seen, until)
                )
        except (httpx.HTTPError, OSError) as error:
            seen.errors.append(f"client {number}: {error!r}")
            await asyncio.sleep(1.0)


async def lag(seen: Seen, end: float) -> None:
    """Note for how long this process itself was kept from running: what a busy machine adds to every gap."""
    while time.monotonic() < end:
        before = time.monotonic()
        await asyncio.sleep(0.05)
        seen.machine_gap_s = max(seen.machine_gap_s, time.monotonic() - before - 0.05)


async def captures(kiosk: Kiosk, seen: Seen, end: float) -> None:
    """Make a capture every now and then."""
    while time.monotonic() + _CAPTURE_S < end:
        await asyncio.sleep(_CAPTURE_S)
        answer = await asyncio.to_thread(kiosk.post, "/api/capture", {})
        if answer.status_code == 200:
            seen.captures += 1
        else:
            seen.errors.append(f"capture: {answer.text}")


async def sample(kiosk: Kiosk, rows: list[dict[str, float]], begun: float, end: float) -> None:
    """Note the kiosk's memory and descriptors every few seconds."""
    process = psutil.Process(kiosk.pid)
    while time.monotonic() < end:
        figures = (await asyncio.to_thread(kiosk.http.get, "/metrics")).text
        rows.append(
            {
                "seconds": round(time.monotonic() - begun, 1),
                "rss_kb": process.memory_info().rss // 1024,
                "descriptors": process.num_fds(),
                "threads": process.num_threads(),
                "cpu_s": round(sum(process.cpu_times()[:2]), 2),
                "preview_clients": figure(figures, "preview_clients"),
                "dropped": figure(figures, "preview_frames_dropped_total"),
            }
        )
        await asyncio.sleep(_SAMPLE_S)


async def run(
    kiosk: Kiosk, clients: int, seconds: float, reload_s: float
) -> tuple[Seen, list[dict[str, float]]]:
    """Return what was seen and sampled."""
    seen, rows, begun = Seen(), [], time.monotonic()
    end = begun + seconds
    pages = [page(str(kiosk.http.base_url), seen, end, number, reload_s) for number in range(clients)]
    await asyncio.gather(lag(seen, end), captures(kiosk, seen, end), sample(kiosk, rows, begun, end), *pages)
    return seen, rows


def figure(text: str, name: str) -> float:
    """Return a figure out of the text of /metrics."""
    found = re.search(rf"^skin_edge_{name} (\S+)$", text, re.M)
    return float(found[1]) if found else math.nan


def slope(rows: list[dict[str, float]], column: str) -> float:
    """Return the growth from the first to the last third of the second half, by medians."""
    half = rows[len(rows) // 2 :]
    third = max(1, len(half) // 3)
    first, last = half[:third], half[-third:]
    return statistics.median(r[column] for r in last) - statistics.median(r[column] for r in first)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--source", default="fault:none,size=640x480,fps=30")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--reload", type=float, default=60.0, metavar="S", help="seconds a page is kept")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with running(arguments.source, {}) as kiosk:
        seen, rows = asyncio.run(run(kiosk, arguments.clients, arguments.minutes * 60, arguments.reload))
        time.sleep(2.0)
        process = psutil.Process(kiosk.pid)
        left = (process.memory_info().rss // 1024, process.num_fds())
        watching = figure(kiosk.http.get("/metrics").text, "preview_clients")
    print(
        f"{arguments.clients} clients, {arguments.minutes:g} min: {seen.loads} page loads, "
        f"{seen.pictures} pictures, {seen.events} events, {seen.captures} captures, {len(seen.errors)} errors"
    )
    print(f"pictures that slow clients missed: {rows[-1]['dropped']:.0f}")
    print(
        f"longest gap between two pictures: {seen.longest_gap_s:.2f} s; "
        f"the clients' process itself was kept waiting for up to {seen.machine_gap_s:.2f} s"
    )
    print(
        f"second half: resident memory {slope(rows, 'rss_kb'):+.0f} kB of {rows[-1]['rss_kb']:.0f}, "
        f"descriptors {slope(rows, 'descriptors'):+.0f} of {rows[-1]['descriptors']:.0f}; when all had gone: "
        f"{left[0]} kB, {left[1]} descriptors, {watching:.0f} watchers"
    )
    print(f"processor: {rows[-1]['cpu_s'] / rows[-1]['seconds']:.2f} of a core")
    for error in seen.errors[:10]:
        print(error)
    if arguments.out:
        with arguments.out.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
