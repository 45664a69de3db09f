"""Model, log and decision rule as the settings have them, opened together and in one thread."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from skin_edge.burst import BurstRule
from skin_edge.capture import CAMERA_BURST
from skin_edge.config import Config
from skin_edge.health.monitor import MachineMonitor
from skin_edge.model.classifier import Classifier
from skin_edge.results.keeping import open_keeping
from skin_edge.results.record import ModelRef
from skin_edge.results.reserve import free_bytes
from skin_edge.session import Session


class Workbench:
    """What a capture is made with.

    Args:
        settings: of model, log and burst.
        classifier: the loaded model; not closed here.
        stack: what `close` lets go of.
        session: decides and logs.
        monitor: tells how the machine is.
    """

    def __init__(
        self,
        settings: Config,
        classifier: Classifier,
        stack: ExitStack,
        session: Session,
        monitor: MachineMonitor,
    ) -> None:
        self._burst = settings.capture.burst
        self._state_dir: Path = settings.state_dir()
        self._stack = stack
        self.classifier: Final = classifier
        self.session: Final = session
        self.monitor: Final = monitor
        manifest = classifier.bundle.manifest
        self.model: Final = ModelRef(
            name=manifest.name, version=manifest.version, sha256=classifier.bundle.model_sha256
        )
        self.operating_points: Final = tuple(point.name for point in manifest.operating_points)
        self.default_operating_point: Final = manifest.default_operating_point

    def burst(self, live: bool) -> int:
        """Return how many frames a capture takes, from a camera or not."""
        return self._burst or (CAMERA_BURST if live else 1)

    def free_mb(self) -> int | None:
        """Return the free room of the state folder in millions of bytes; None where it cannot be told."""
        try:
            return free_bytes(self._state_dir) // 1_000_000
        except OSError:
            return None

    def close(self) -> None:
        """Close the log; a second call does nothing."""
        self._stack.close()


def open_workbench(settings: Config, classifier: Classifier) -> Workbench:
    """Open the log, and make the session that writes to it.

    Raises:
        UsageError: the model has no such operating point.
        ConfigError: the encryption key cannot be used.
        StorageError: the log cannot be opened.
    """
    with ExitStack() as stack:
        # First, because a decision that cannot be logged is not worth making.
        keeping = stack.enter_context(open_keeping(settings, keep_images=settings.state.save_images))
        monitor = stack.enter_context(MachineMonitor.for_log(keeping.log))
        session = Session(
            classifier,
            operating_point=settings.model.operating_point,
            thresholds=settings.quality,
            burst=BurstRule(
                best=settings.capture.best, views=settings.model.views, max_spread=settings.capture.max_spread
            ),
            keeping=keeping,
            machine=monitor,
        )
        return Workbench(settings, classifier, stack.pop_all(), session, monitor)
