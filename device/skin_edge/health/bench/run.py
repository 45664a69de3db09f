"""One run of the benchmark, from the settings to the report."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np

from skin_edge.config import Config
from skin_edge.errors import ModelError, StorageError
from skin_edge.frame import Frame
from skin_edge.health.bench.cold import ColdStart, cold_starts
from skin_edge.health.bench.frames import DRAWN, frames_from, take
from skin_edge.health.bench.process import resident_mb
from skin_edge.health.bench.report import Report, this_machine
from skin_edge.health.bench.scratch import scratch
from skin_edge.health.bench.stages import stage_times
from skin_edge.health.bench.sustained import run_sustained
from skin_edge.model.classifier import Classifier

COLD_ROUNDS = 5
#: Frames that are held in memory while steps are timed.
_FRAMES = 4

#: Given what is done and how much of it there is, gives what is called with the part that is done.
Progress = Callable[[str, float], AbstractContextManager[Callable[[float], object]]]


def run_bench(
    settings: Config,
    classifier: Classifier,
    *,
    source: str | None,
    size: tuple[int, int] | None,
    seconds: float,
    rounds: int,
    cold: bool,
    progress: Progress,
) -> Report:
    """Measure steps, cold start and sustained rate.

    Args:
        settings: in force.
        classifier: the loaded bundle.
        source, size: of the frames, as `frames_from` takes them.
        seconds: at full speed; 0 leaves that out.
        rounds: how often each step is timed.
        cold: False leaves cold starts out.
        progress: told how far each part is.

    Raises:
        UsageError: no such source.
        CameraError: the source gives no frame.
        ModelError: the network fails.
        StorageError: nothing can be written beside the results log.
    """
    with scratch(settings.state_dir()) as folder, frames_from(source, size) as frames:
        first = take(frames, _FRAMES)
        with progress("steps", rounds) as step:
            steps = stage_times(
                classifier.bundle,
                first,
                folder / "steps",
                rounds=rounds,
                threads=settings.model.threads,
                thresholds=settings.quality,
                after_round=step,
            )
        starts = _cold(classifier.bundle.origin, first[0], folder, progress) if cold else None
        sustained = None
        if seconds:
            with progress("sustained", seconds) as step:
                sustained = run_sustained(
                    classifier,
                    frames,
                    folder / "sustained",
                    seconds=seconds,
                    thresholds=settings.quality,
                    after_sample=lambda sample: step(sample.at_s),
                )
    height, width = first[0].pixels.shape[:2]
    return Report(
        machine=this_machine(),
        model=classifier.bundle.manifest.identity,
        source=source or DRAWN,
        width=width,
        height=height,
        threads=settings.model.threads,
        steps=steps,
        cold=starts,
        sustained=sustained,
        peak_mb=resident_mb(peak=True),
    )


def _cold(bundle: Path, frame: Frame, folder: Path, progress: Progress) -> ColdStart:
    picture = folder / "picture.jpg"
    if not cv2.imwrite(str(picture), np.ascontiguousarray(frame.pixels[:, :, ::-1])):
        raise StorageError(f"{picture}: cannot write the picture for the cold start; check the disk")
    with progress("cold start", COLD_ROUNDS) as step:
        try:
            return cold_starts(bundle, picture, rounds=COLD_ROUNDS, after_round=step)
        except subprocess.CalledProcessError as error:
            said = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()
            last = said[-1] if said else "no word"
            raise ModelError(f"a cold start ended with status {error.returncode}: {last}") from None
