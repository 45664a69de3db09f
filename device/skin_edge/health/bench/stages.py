"""What each step from a frame to a durable row costs, one after the other as in `capture`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import msgspec
import numpy as np

from skin_edge.decision import DecisionPolicy
from skin_edge.frame import Frame
from skin_edge.health.bench.measure import Spread, interleaved, spread
from skin_edge.model.bundle import Bundle
from skin_edge.model.classifier import Classifier
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.quality import assess
from skin_edge.results.log import ResultsLog
from skin_edge.sections import QualityThresholds
from skin_edge.session import Session

#: Name of the sum of all steps in what `stage_times` returns.
TOTAL = "frame to durable row"


def stage_times(
    bundle: Bundle,
    frames: Sequence[Frame],
    folder: Path,
    *,
    rounds: int,
    threads: int = 1,
    thresholds: QualityThresholds | None = None,
    after_round: Callable[[int], object] | None = None,
) -> dict[str, Spread]:
    """Measure quality gate, each enabled stage, normalisation, network, decision and the row in the log.

    Args:
        bundle: whose stages and network are run.
        frames: taken in turn.
        folder: for a results log of its own, on the disk whose flushing counts.
        rounds: how often every step is measured.
        threads: of the runtime.
        thresholds: of the quality gate.
        after_round: called with the number of rounds done.

    Returns:
        Spread by step in the order in which they run, `TOTAL` last.

    Raises:
        ModelError: the network fails.
        StorageError: the log cannot be written.
    """
    walk = _Walk(bundle, frames, threads, thresholds or QualityThresholds())
    with ResultsLog(folder) as log:
        sample = Session(Classifier(bundle, threads=threads)).process(frames[0]).record
        tasks = walk.tasks | {"log": lambda: log.append(msgspec.structs.replace(sample, result_id=None))}
        times = interleaved(tasks, rounds, after_round)
    spreads = {name: spread(values) for name, values in times.items()}
    return spreads | {TOTAL: spread([sum(one) for one in zip(*times.values(), strict=True)])}


class _Walk:
    """One frame on its way; each task leaves what the next one needs."""

    def __init__(
        self, bundle: Bundle, frames: Sequence[Frame], threads: int, thresholds: QualityThresholds
    ) -> None:
        shape = bundle.manifest.input
        preprocessor = Preprocessor(bundle.manifest.preprocess)
        network = Network(bundle.model, (shape.height, shape.width, shape.channels), threads)
        policy = DecisionPolicy.from_manifest(bundle.manifest)
        tensor = np.zeros(network.input_shape, np.float32)
        coming = cycle(frames)

        def quality() -> None:
            self.image = next(coming).pixels
            self.report = assess(self.image, thresholds)

        def stage(run: Callable[..., np.ndarray]) -> Callable[[], None]:
            def task() -> None:
                self.image = run(self.image)

            return task

        def invoke() -> None:
            self.prediction = network.predict(tensor)

        self.tasks: dict[str, Callable[[], object]] = {"quality": quality}
        self.tasks |= {name: stage(run) for name, run in preprocessor.stages}
        self.tasks["normalise"] = lambda: preprocessor.normalise(self.image, tensor)
        self.tasks["invoke"] = invoke
        self.tasks["decide"] = lambda: policy.decide(self.prediction, self.report)
