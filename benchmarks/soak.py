"""Does the capture loop grow? Fifty thousand decisions, resident memory and descriptors as they go.

    python benchmarks/soak.py [--frames 50000] [--out docs/results/soak.csv]

The real loop over a replayed folder of small pictures, begun again at its end: decode, gate, stages, network,
decision, a durable row in a real log, JSON to a sink. Memory is read every 250 frames; the first fifth, in
which caches fill, does not count. A line is fitted to the rest. Samples next to each other are alike, so its
interval comes from resampling blocks of twenty (moving blocks: Kuensch 1989). It ends with 1 where the slope
lies above zero with 95 % confidence and amounts to more than 256 kB over the run, or where descriptors grew.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from skin_edge.camera.drawing import draw
from skin_edge.camera.source import open_source
from skin_edge.capture import CaptureLoop, Listeners
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.session import Outcome, Session
from skin_edge.triggers.base import Signal, Trigger

ROOT = Path(__file__).resolve().parents[1]
EVERY = 250
WARM_UP = 0.2
BLOCK = 20
RESAMPLES = 2000
PICTURES = 20
MAX_GROWTH_BYTES = 256 * 1024
SEED = 20260101
Samples = npt.NDArray[np.float64]


class Counted(Trigger):
    """Fires so many times."""

    def __init__(self, times: int) -> None:
        self._left = times

    def wait(self, timeout_s: float | None) -> Signal:
        self._left -= 1
        return Signal.FIRED if self._left >= 0 else Signal.ENDED


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def run(folder: Path, state: Path, frames: int) -> Samples:
    """Return (n, 4): frames so far, resident bytes, descriptors, seconds since the start."""
    samples = np.zeros((frames // EVERY, 4))  # made before, or the measurement grows with what it measures
    sink = os.open(os.devnull, os.O_WRONLY)
    started, done = time.monotonic(), 0

    def tell(outcome: Outcome) -> None:
        nonlocal done
        os.write(sink, msgspec.json.encode(outcome.record))
        done += 1
        if done % EVERY == 0:
            samples[done // EVERY - 1] = done, resident_bytes(), descriptors(), time.monotonic() - started

    with ResultsLog(state) as log, open_source(f"replay:{folder}", loop=True) as source:
        session = Session(Classifier.load(default_bundle_path(), trusted=True), keeping=Keeping(log))
        CaptureLoop(source, session, trigger=Counted(frames), listeners=Listeners(on_decision=tell)).run()
        assert log.count() == frames
    os.close(sink)
    return samples


def slope(frames: Samples, resident: Samples) -> tuple[float, float, float]:
    """Bytes a frame, with the 95 % interval of a moving-block bootstrap of the residuals."""
    fitted = np.polyfit(frames, resident, 1)
    line = np.polyval(fitted, frames)
    residuals = resident - line
    rng = np.random.default_rng(SEED)
    blocks = -(-len(frames) // BLOCK)
    drawn = np.empty(RESAMPLES)
    for at in range(RESAMPLES):
        starts = rng.integers(0, len(frames) - BLOCK + 1, blocks)
        noise = np.concatenate([residuals[s : s + BLOCK] for s in starts])[: len(frames)]
        drawn[at] = np.polyfit(frames, line + noise, 1)[0]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(fitted[0]), float(low), float(high)


def main() -> None:
    """Run, fit, save; exit 1 on growth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=50_000)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/soak.csv")
    options = parser.parse_args()
    if options.frames < EVERY * BLOCK * 4:
        parser.error(f"--frames: at least {EVERY * BLOCK * 4}, or there is no slope to speak of")
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "pictures")
        folder.mkdir()
        for number in range(PICTURES):
            small = cv2.resize(draw(0, number).pixels, (200, 150), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(folder / f"{number:02d}.jpg"), small[:, :, ::-1])
        samples = run(folder, Path(name, "state"), options.frames)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("frames", "resident_bytes", "descriptors", "seconds"))
        writer.writerows((int(f), int(r), int(d), f"{s:.1f}") for f, r, d, s in samples)
    kept = samples[samples[:, 0] > WARM_UP * options.frames]
    value, low, high = slope(kept[:, 0], kept[:, 1])
    opened = int(kept[-1, 2] - kept[0, 2])
    print(f"{options.frames} frames in {samples[-1, 3]:.0f} s; resident {kept[:, 1].mean() / 1e6:.1f} MB")
    print(f"slope {value:+.2f} bytes a frame, 95 % {low:+.2f} to {high:+.2f}; descriptors {opened:+d}")
    print(f"over the run: {value * options.frames / 1e3:+.0f} kB; saved to {options.out}")
    if (low > 0 and value * options.frames > MAX_GROWTH_BYTES) or opened > 0:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
