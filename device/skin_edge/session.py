"""Frames from gate to log: quality -> stages -> network -> decision -> durable row.

`capture` and `classify` both go through here, so that what is shown, logged and exported is one thing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from skin_edge import __version__
from skin_edge.burst import BurstRule, select
from skin_edge.decision import DecisionPolicy
from skin_edge.errors import StorageError
from skin_edge.frame import Decision, Frame, Prediction, QualityReport
from skin_edge.model.classifier import Classifier
from skin_edge.quality import assess
from skin_edge.results.record import (
    Burst,
    Machine,
    ModelRef,
    Quality,
    ResultRecord,
    Timing,
    new_result_id,
    utc_timestamp,
)
from skin_edge.sections import QualityThresholds

if TYPE_CHECKING:
    from skin_edge.results.keeping import Keeping


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A decision and what it was made from.

    Attributes:
        record: the row, and the JSON object of the command line.
        prediction: logit and activation map of the best frame.
        frame: the best frame, the one that was kept where pictures are kept.
    """

    record: ResultRecord
    prediction: Prediction
    frame: Frame


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the gate and the network said about the frames of one capture, the best frame first."""

    frames: tuple[Frame, ...]
    reports: tuple[QualityReport, ...]
    predictions: tuple[Prediction, ...]
    refused: int
    preprocess_ms: float
    inference_ms: float


class Session:
    """A loaded model and the rule of its bundle, ready for any number of frames.

    Args:
        classifier: the loaded bundle.
        operating_point: name of one of the bundle's; None for its default.
        thresholds: of the quality gate.
        burst: how frames of one capture become one answer.
        keeping: where results go; None logs nothing.
        machine: called for each row, tells how the machine is; None leaves it out.
        explain_dir: an existing folder for activation maps, each named by its result id; None draws none, and
            where nothing is logged there are none either.

    Raises:
        UsageError: the bundle has no such operating point.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        operating_point: str | None = None,
        thresholds: QualityThresholds | None = None,
        burst: BurstRule | None = None,
        keeping: Keeping | None = None,
        machine: Callable[[], Machine] | None = None,
        explain_dir: Path | None = None,
    ) -> None:
        self._classifier = classifier
        self._thresholds = thresholds or QualityThresholds()
        self._burst = burst or BurstRule()
        self._keeping = keeping
        self._machine = machine
        self._explain_dir = explain_dir
        bundle = classifier.bundle
        self.policy = DecisionPolicy.from_manifest(bundle.manifest, operating_point)
        self._model = ModelRef(
            name=bundle.manifest.name, version=bundle.manifest.version, sha256=bundle.model_sha256
        )
        #: Side of the square that the network sees, as a part of the shorter side of a frame.
        self.crop_fraction = bundle.manifest.preprocess.crop_resize.crop_fraction
        self._fingerprint = bundle.manifest.preprocess_fingerprint

    def process(self, frame: Frame, *, subject: str | None = None, site: str | None = None) -> Outcome:
        """Classify one frame: `process_burst` of it alone."""
        return self.process_burst((frame,), subject=subject, site=site)

    def process_burst(
        self, frames: Sequence[Frame], *, subject: str | None = None, site: str | None = None
    ) -> Outcome:
        """Classify frames of one lesion as one; when this returns, the row (and picture) is durable.

        Args:
            frames: what the source gave, in the order in which they were taken; at least one.
            subject: pseudonym of the person, never a name.
            site: where on the body.

        Raises:
            ModelError: the network failed on a frame.
            StorageError: the row could not be made durable; nothing was acknowledged.
        """
        outcome = self._decide(frames, subject, site, logged=self._keeping is not None)
        return outcome if self._keeping is None else self._keep(self._keeping, outcome)

    def try_out(self, frame: Frame) -> Outcome:
        """Go the whole way from a frame to an answer and log nothing: does all of it still work.

        Raises:
            ModelError: the network failed.
        """
        return self._decide((frame,), None, None, logged=False)

    def _decide(
        self, frames: Sequence[Frame], subject: str | None, site: str | None, *, logged: bool
    ) -> Outcome:
        started = time.perf_counter()
        seen = self._look(frames)
        logits = tuple(prediction.logit for prediction in seen.predictions)
        decision = self.policy.decide_burst(logits, seen.reports[0], max_spread=self._burst.max_spread)
        total_ms = (time.perf_counter() - started) * 1e3
        burst = None
        if len(frames) > 1 or self._burst.views > 1:
            burst = Burst(
                taken=len(frames),
                refused=seen.refused,
                used=len(logits),
                views=self._burst.views,
                spread=self.policy.spread(logits),
            )
        record = self._record(seen, decision, total_ms, sum(logits) / len(logits), burst)
        named = msgspec.structs.replace(
            record,
            result_id=new_result_id(seen.frames[0].wall_time_s) if logged else None,
            subject=subject,
            site=site,
        )
        return Outcome(named, seen.predictions[0], seen.frames[0])

    def _look(self, frames: Sequence[Frame]) -> _Seen:
        reports = [assess(frame.pixels, self._thresholds) for frame in frames]
        chosen = select(reports, self._burst.best)
        predictions, preprocess_ms, inference_ms = [], 0.0, 0.0
        for at in chosen:
            prediction, preprocess, inference = self._classifier.classify(
                frames[at].pixels, views=self._burst.views
            )
            predictions.append(prediction)
            preprocess_ms += preprocess
            inference_ms += inference
        return _Seen(
            frames=tuple(frames[at] for at in chosen),
            reports=tuple(reports[at] for at in chosen),
            predictions=tuple(predictions),
            refused=sum(not report.ok for report in reports),
            preprocess_ms=preprocess_ms,
            inference_ms=inference_ms,
        )

    def _record(
        self,
        seen: _Seen,
        decision: Decision,
        total_ms: float,
        logit: float,
        burst: Burst | None,
    ) -> ResultRecord:
        frame, quality = seen.frames[0], seen.reports[0]
        return ResultRecord(
            image=frame.name,
            label=decision.label,
            probability=decision.probability,
            refer=decision.refer,
            threshold=decision.threshold,
            reasons=decision.reasons,
            quality=Quality(ok=quality.ok, reasons=quality.reasons, metrics=dict(quality.metrics)),
            model=self._model,
            timing_ms=Timing(preprocess=seen.preprocess_ms, inference=seen.inference_ms, total=total_ms),
            created_at=utc_timestamp(frame.wall_time_s),
            source=frame.source,
            logit=logit,
            temperature=self.policy.temperature,
            operating_point=self.policy.operating_point,
            abstain_band=(self.policy.abstain_low, self.policy.abstain_high),
            preprocess_fingerprint=self._fingerprint,
            burst=burst,
            machine=self._machine() if self._machine else None,
            skin_edge_version=__version__,
        )

    def _keep(self, keeping: Keeping, outcome: Outcome) -> Outcome:
        """Draw the map where one is wanted, then make the record durable, which names it."""
        record, drawn = outcome.record, None
        if self._explain_dir is not None:
            from skin_edge.explain import save_overlay

            drawn = self._explain_dir / f"{record.result_id}.png"
            activation_map = outcome.prediction.activation_map
            save_overlay(drawn, outcome.frame.pixels, activation_map, self.crop_fraction)
            record = msgspec.structs.replace(record, explanation_path=str(drawn))
        try:
            record = keeping.keep(record, outcome.frame.pixels)
        except StorageError:  # on anything else, Ctrl-C among it, the row may be there and needs its map
            if drawn is not None:
                drawn.unlink(missing_ok=True)
            raise
        return Outcome(record, outcome.prediction, outcome.frame)
