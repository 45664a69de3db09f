"""What the capture loop costs beside the bare work that it does, and how soon the first result is there.

    python benchmarks/capture_loop.py [--rounds 15] [--out docs/results/capture_loop.csv] [--check]

The same sixty JPEG pictures (600 x 450) go, turn by turn, through

    bare          read_image, the stages and the network: decoding is on both sides of every ratio
    bare + gate   the same with the quality gate, which the loop cannot do without
    loop          the real loop over a replay source: trigger, gate, decision, record; nothing is logged
    loop, log     the same with each row committed and flushed before it is told, as `skin-edge capture` does

Each picture is timed by itself, and the tenth percentile over all rounds counts: other work on the machine
only ever adds. CPU time stands beside wall time since such work disturbs it less, but it does not see the
disk. The start-up is that of `skin-edge capture --source replay:PICTURE --once` beside a bare import of what
it needs, as the median of pairs.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import msgspec

from skin_edge.camera.decode import read_image
from skin_edge.camera.drawing import draw
from skin_edge.camera.source import open_source
from skin_edge.capture import CaptureLoop, Listeners
from skin_edge.health.bench.process import process_env
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.quality import assess
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.session import Outcome, Session
from skin_edge.triggers.interval import IntervalTrigger

ROOT = Path(__file__).resolve().parents[1]
PICTURES = 60
BARE_IMPORT = "import numpy, cv2, ai_edge_litert.interpreter, sqlite3"


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of wall and of CPU time, a picture or a process."""

    wall: float
    cpu: float


class Laps:
    """Times from one call to the next."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None
        self.took: list[Took] = []

    def start(self) -> None:
        self._last = None

    def lap(self) -> None:
        now = time.perf_counter(), time.process_time()
        if self._last is not None:
            self.took.append(Took((now[0] - self._last[0]) * 1e3, (now[1] - self._last[1]) * 1e3))
        self._last = now


def in_turn(tasks: dict[str, Callable[[Callable[[], None]], None]], rounds: int) -> dict[str, Took]:
    """Tenth percentile a picture of each task, which calls what it is given after each picture."""
    laps = {name: Laps() for name in tasks}
    for task in tasks.values():
        task(lambda: None)
    for _ in range(rounds):
        for name, task in tasks.items():
            laps[name].start()
            task(laps[name].lap)
    took = {name: lap.took for name, lap in laps.items()}
    return {
        name: Took(low([t.wall for t in times]), low([t.cpu for t in times])) for name, times in took.items()
    }


def low(values: list[float]) -> float:
    return statistics.quantiles(values, n=10)[0]


def steady(folder: Path, state: Path, rounds: int) -> list[tuple[str, float, str]]:
    classifier = Classifier.load(default_bundle_path(), trusted=True)
    paths = sorted(folder.iterdir())

    def bare(gate: bool, lap: Callable[[], None]) -> None:
        for path in paths:
            pixels = read_image(path)
            if gate:
                assess(pixels)
            classifier.classify(pixels)
            lap()

    def loop(session: Session, lap: Callable[[], None]) -> None:
        def tell(outcome: Outcome) -> None:
            os.write(sink, msgspec.json.encode(outcome.record))
            lap()

        with open_source(f"replay:{folder}") as source:
            tally = CaptureLoop(
                source, session, trigger=IntervalTrigger(0.0), listeners=Listeners(on_decision=tell)
            ).run()
        assert tally.decisions == PICTURES

    sink = os.open(os.devnull, os.O_WRONLY)
    with ResultsLog(state) as log:
        quiet, logging = Session(classifier), Session(classifier, keeping=Keeping(log))
        took = in_turn(
            {
                "bare": lambda lap: bare(False, lap),
                "bare + gate": lambda lap: bare(True, lap),
                "loop": lambda lap: loop(quiet, lap),
                "loop, log": lambda lap: loop(logging, lap),
            },
            rounds,
        )
        record = logging.process(next(iter(open_source(f"replay:{paths[0]}")))).record
        commits = Laps()
        for _ in range(301):
            commits.lap()
            log.append(msgspec.structs.replace(record, result_id=None))
    os.close(sink)
    rows = [(f"{name}: a picture, {kind} time", getattr(t, kind), "ms")
            for name, t in took.items() for kind in ("wall", "cpu")]  # fmt: skip
    waits = [t.wall for t in commits.took]
    rows.append(("a durable commit alone, wall time, tenth percentile", low(waits), "ms"))
    rows.append(("a durable commit alone, wall time, median", statistics.median(waits), "ms"))
    pairs = ("loop", "bare"), ("loop", "bare + gate"), ("loop, log", "bare"), ("bare + gate", "bare")
    for name, base in pairs:
        for kind in ("wall", "cpu"):
            ratio = getattr(took[name], kind) / getattr(took[base], kind)
            rows.append((f"{name} / {base}, {kind} time", ratio, "ratio"))
    return rows


def start(arguments: list[str], env: dict[str, str]) -> Took:
    before = os.times()
    started = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, env=process_env() | env)
    wall, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(wall * 1e3, cpu * 1e3)


def cold(picture: Path, state: Path, rounds: int) -> list[tuple[str, float, str]]:
    command = [str(Path(sys.executable).with_name("skin-edge")), "capture", "--once", "--json"]
    env = {"SKIN_EDGE_HOME": str(state)}
    bare, ours = [], []
    for _ in range(rounds + 1):
        bare.append(start([sys.executable, "-c", BARE_IMPORT], env))
        ours.append(start([*command, "--source", f"replay:{picture}"], env))
    pairs = list(zip(ours[1:], bare[1:], strict=True))  # the first of each filled the caches
    what = "capture --once / bare import"
    wall, cpu = [o.wall / b.wall for o, b in pairs], [o.cpu / b.cpu for o, b in pairs]
    return [
        ("bare import of numpy, cv2, litert, sqlite3", statistics.median(b.wall for _, b in pairs), "ms"),
        ("capture --once, one picture", statistics.median(o.wall for o, _ in pairs), "ms"),
        (f"{what}, wall time", statistics.median(wall), "ratio"),
        (f"{what}, cpu time", statistics.median(cpu), "ratio"),
    ]


#: The largest value that is good enough.
TARGETS = {
    "loop / bare, wall time": 1.15,
    "loop / bare, cpu time": 1.15,
    "capture --once / bare import, wall time": 2.0,
}


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/capture_loop.csv")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(dir=ROOT) as name:  # on the disk of the checkout: /tmp may be memory
        folder, state = Path(name, "pictures"), Path(name, "state")
        folder.mkdir()
        for seed in range(PICTURES):
            picture = cv2.resize(draw(0, seed).pixels, (600, 450), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(folder / f"{seed:03d}.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        rows = steady(folder, state, options.rounds)
        rows += cold(folder / "000.jpg", state, options.rounds)
    missed = False
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("what", "value", "unit", "target", "met"))
        for what, value, unit in rows:
            target = TARGETS.get(what)
            met = "" if target is None else "yes" if value <= target else "no"
            missed = missed or met == "no"
            writer.writerow((what, f"{value:.4g}", unit, target or "", met))
            print(f"{what:48s} {value:9.3f} {unit:6s} {target or ''} {met}")
    print(f"saved to {options.out}")
    if options.check and missed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
