"""The capture loop at full speed for minutes, with temperature and frequency beside it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from skin_edge.durable import make_directory
from skin_edge.errors import StorageError
from skin_edge.frame import Frame
from skin_edge.health.bench.measure import Histogram, Spread, spread
from skin_edge.health.bench.process import resident_mb
from skin_edge.health.monitor import MachineMonitor
from skin_edge.health.platform import Platform
from skin_edge.model.classifier import Classifier
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.sections import QualityThresholds
from skin_edge.session import Session
from skin_edge.strict import Strict

SAMPLE_S = 1.0
#: The log is begun anew after so many rows (about 20 MB), so that a long run does not fill the disk.
ROWS_PER_LOG = 10_000
_MIN_FREE_BYTES = 100_000_000


class Sample(Strict, frozen=True):
    """One second.

    Attributes:
        at_s: seconds since the beginning, at its end.
        frames: whose row became durable in it.
        latency: from a frame in memory to its durable row.
        temperature_c, cpu_mhz, throttled, under_voltage: as the machine tells them; None where it does not.
        resident_mb: memory of this process.
    """

    at_s: float
    frames: int
    latency: Spread
    temperature_c: float | None
    cpu_mhz: float | None
    throttled: bool | None
    under_voltage: bool | None
    resident_mb: float


class Sustained(Strict, frozen=True):
    """A run at full speed.

    Attributes:
        seconds: how long it took.
        interrupted: True where it was ended before its time.
        frames, frames_per_s: with a durable row each; reading the source is in the rate, not in `latency`.
        latency: of all frames, percentiles to one part in a hundred.
        slowdown: median latency of the last tenth of the time over that of the first.
        samples: one a second.
    """

    seconds: float
    interrupted: bool
    frames: int
    frames_per_s: float
    latency: Spread
    slowdown: float
    samples: tuple[Sample, ...]


def run_sustained(
    classifier: Classifier,
    frames: Iterator[Frame],
    folder: Path,
    *,
    seconds: float,
    thresholds: QualityThresholds | None = None,
    root: Path = Path("/"),
    after_sample: Callable[[Sample], object] | None = None,
) -> Sustained:
    """Classify and log frames for `seconds`; Ctrl-C ends it early, with what was measured until then.

    Args:
        classifier: the loaded bundle.
        frames: endless.
        folder: for results logs of its own.
        seconds: how long, at least one frame.
        thresholds: of the quality gate.
        root: of the file system that describes the machine.
        after_sample: called with every second's sample.

    Raises:
        CameraError: the source gives no more frames.
        ModelError: the network fails.
        StorageError: the log cannot be written, or the disk is almost full.
    """
    run = _Run(classifier, frames, folder, thresholds, root, after_sample)
    interrupted = False
    started_s = time.monotonic()
    try:
        with Platform(root) as platform:
            run.go(started_s, started_s + seconds, platform)
    except KeyboardInterrupt:
        if not run.samples:
            raise
        interrupted = True
    elapsed_s = run.samples[-1].at_s
    return Sustained(
        seconds=elapsed_s,
        interrupted=interrupted,
        frames=run.all.count,
        frames_per_s=run.all.count / elapsed_s,
        latency=run.all.spread(),
        slowdown=_slowdown(run.samples),
        samples=tuple(run.samples),
    )


class _Run:
    def __init__(
        self,
        classifier: Classifier,
        frames: Iterator[Frame],
        folder: Path,
        thresholds: QualityThresholds | None,
        root: Path,
        after_sample: Callable[[Sample], object] | None,
    ) -> None:
        self._classifier = classifier
        self._frames = frames
        self._folder = folder
        self._thresholds = thresholds
        self._root = root
        self._after_sample = after_sample
        self._second: list[float] = []
        self.all = Histogram()
        self.samples: list[Sample] = []

    def go(self, started_s: float, end_s: float, platform: Platform) -> None:
        number = 0
        make_directory(self._folder)
        sample_due_s = started_s + SAMPLE_S
        while True:
            self._check_room()
            log_folder = self._folder / f"log-{number}"
            with ResultsLog(log_folder) as log, MachineMonitor(root=self._root) as machine:
                session = Session(
                    self._classifier, thresholds=self._thresholds, keeping=Keeping(log), machine=machine
                )
                for _ in range(ROWS_PER_LOG):
                    frame = next(self._frames)
                    before = time.perf_counter()
                    session.process(frame)
                    self._second.append((time.perf_counter() - before) * 1e3)
                    now_s = time.monotonic()
                    if now_s >= sample_due_s or now_s >= end_s:
                        self._take_sample(now_s - started_s, platform)
                        sample_due_s = max(sample_due_s + SAMPLE_S, now_s)
                    if now_s >= end_s:
                        return
            shutil.rmtree(log_folder)
            number += 1

    def _take_sample(self, at_s: float, platform: Platform) -> None:
        readings = platform.read(wait=not self.samples)
        sample = Sample(
            at_s=at_s,
            frames=len(self._second),
            latency=spread(self._second),
            temperature_c=readings.temperature_c,
            cpu_mhz=readings.cpu_mhz,
            throttled=readings.power.throttled,
            under_voltage=readings.power.under_voltage,
            resident_mb=resident_mb(),
        )
        self.all.add(self._second)
        self._second = []
        self.samples.append(sample)
        if self._after_sample is not None:
            self._after_sample(sample)

    def _check_room(self) -> None:
        room = os.statvfs(self._folder)
        if room.f_bavail * room.f_frsize < _MIN_FREE_BYTES:
            raise StorageError(
                f"{self._folder}: less than {_MIN_FREE_BYTES // 1_000_000} MB free, which a run at full "
                "speed would fill; free room, or set SKIN_EDGE_HOME to another disk",
                code="storage-full",
            )


def _slowdown(samples: list[Sample]) -> float:
    """Median of the medians of the last tenth of the seconds over that of the first tenth."""
    part = max(1, len(samples) // 10)
    medians = [sample.latency.p50_ms for sample in samples]
    return spread(medians[-part:]).p50_ms / spread(medians[:part]).p50_ms
