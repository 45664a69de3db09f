"""From nothing to the first result, in processes of their own.

What the kernel keeps of files in memory is kept: the first start after the machine's own reads them from the
card and takes longer. `first_ms` is the first of the series, which is that one right after a start.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from skin_edge.health.bench.measure import Spread, interleaved, spread
from skin_edge.health.bench.process import bare_import, process_env, run_quietly
from skin_edge.strict import Strict


class Steps(Strict, frozen=True):
    """Milliseconds of each step of one cold start, and the peak of its memory in MB."""

    interpreter: float
    imports: float
    load: float
    first_result: float
    peak_mb: float


class ColdStart(Strict, frozen=True):
    """Cold starts, measured.

    Attributes:
        steps: by name: interpreter, imports, load, first_result.
        total: sum of the steps.
        first_ms: total of the first one.
        command: `skin-edge classify PICTURE --json` as a whole, with the model in use.
        bare_import: an interpreter that imports numpy, OpenCV and the runtime and ends.
        command_ratio: of the medians of the two.
        peak_mb: largest resident size up to the first result.
    """

    steps: dict[str, Spread]
    total: Spread
    first_ms: float
    command: Spread
    bare_import: Spread
    command_ratio: float
    peak_mb: float


def cold_starts(
    bundle: Path,
    picture: Path,
    *,
    rounds: int,
    after_round: Callable[[int], object] | None = None,
) -> ColdStart:
    """Start processes that end with a result, in turn with a bare import.

    Args:
        bundle: the bundle to load.
        picture: for the whole command.
        rounds: how often each is started, besides a first time.
        after_round: called with the number of rounds done.

    Raises:
        subprocess.CalledProcessError: a process failed.
    """
    starts: list[Steps] = []
    command = [sys.executable, "-m", "skin_edge", "classify", str(picture), "--json"]
    times = interleaved(
        {
            "start": lambda: starts.append(_start(bundle)),
            "command": lambda: run_quietly(command),
            "bare_import": lambda: run_quietly(bare_import()),
        },
        rounds,
        after_round,
    )
    names = [name for name in Steps.__struct_fields__ if name != "peak_mb"]
    totals = [sum(getattr(one, name) for name in names) for one in starts]
    whole, bare = spread(times["command"]), spread(times["bare_import"])
    return ColdStart(
        steps={name: spread([getattr(one, name) for one in starts[1:]]) for name in names},
        total=spread(totals[1:]),
        first_ms=totals[0],
        command=whole,
        bare_import=bare,
        command_ratio=whole.p50_ms / bare.p50_ms,
        peak_mb=max(one.peak_mb for one in starts),
    )


def _start(bundle: Path) -> Steps:
    # CLOCK_MONOTONIC is one clock for all processes of a machine.
    done = subprocess.run(
        [sys.executable, "-m", "skin_edge.health.bench.cold_child", str(time.monotonic()), str(bundle)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=process_env() | {"OPENBLAS_NUM_THREADS": "1"},
    )
    return msgspec.json.decode(done.stdout, type=Steps)
