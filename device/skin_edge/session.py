"""One frame from gate to log: quality -> stages -> network -> decision -> durable row.

`capture` and `classify` both go through here, so that what is shown, logged and exported is one thing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skin_edge import __version__
from skin_edge.config import QualityThresholds
from skin_edge.decision import DecisionPolicy
from skin_edge.frame import Frame, Prediction
from skin_edge.model.classifier import Classifier
from skin_edge.quality import assess
from skin_edge.results.record import (
    Machine,
    ModelRef,
    Quality,
    ResultRecord,
    Timing,
    new_result_id,
    utc_timestamp,
)

if TYPE_CHECKING:
    from skin_edge.results.keeping import Keeping


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A decision and what it was made from.

    Attributes:
        record: the row, and the JSON object of the command line.
        prediction: logit and activation map.
    """

    record: ResultRecord
    prediction: Prediction


class Session:
    """A loaded model and the rule of its bundle, ready for any number of frames.

    Args:
        classifier: the loaded bundle.
        operating_point: name of one of the bundle's; None for its default.
        thresholds: of the quality gate.
        keeping: where results go; None logs nothing.
        machine: called for each row, tells how the machine is; None leaves it out.

    Raises:
        UsageError: the bundle has no such operating point.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        operating_point: str | None = None,
        thresholds: QualityThresholds | None = None,
        keeping: Keeping | None = None,
        machine: Callable[[], Machine] | None = None,
    ) -> None:
        self._classifier = classifier
        self._thresholds = thresholds or QualityThresholds()
        self._keeping = keeping
        self._machine = machine
        bundle = classifier.bundle
        self.policy = DecisionPolicy.from_manifest(bundle.manifest, operating_point)
        self._model = ModelRef(
            name=bundle.manifest.name, version=bundle.manifest.version, sha256=bundle.model_sha256
        )
        #: Side of the square that the network sees, as a part of the shorter side of a frame.
        self.crop_fraction = bundle.manifest.preprocess.crop_resize.crop_fraction
        self._fingerprint = bundle.manifest.preprocess_fingerprint

    def process(self, frame: Frame, *, subject: str | None = None, site: str | None = None) -> Outcome:
        """Classify one frame; when this returns, its row (and picture) is durable.

        Args:
            frame: what the source gave.
            subject: pseudonym of the person, never a name.
            site: where on the body.

        Raises:
            ModelError: the network failed on this frame.
            StorageError: the row could not be made durable; nothing was acknowledged.
        """
        started = time.perf_counter()
        quality = assess(frame.pixels, self._thresholds)
        prediction, preprocess_ms, inference_ms = self._classifier.classify(frame.pixels)
        decision = self.policy.decide(prediction, quality)
        total_ms = (time.perf_counter() - started) * 1e3
        record = ResultRecord(
            image=frame.name,
            label=decision.label,
            probability=decision.probability,
            refer=decision.refer,
            threshold=decision.threshold,
            reasons=decision.reasons,
            quality=Quality(ok=quality.ok, reasons=quality.reasons, metrics=dict(quality.metrics)),
            model=self._model,
            timing_ms=Timing(preprocess=preprocess_ms, inference=inference_ms, total=total_ms),
            result_id=new_result_id(frame.wall_time_s) if self._keeping else None,
            created_at=utc_timestamp(frame.wall_time_s),
            source=frame.source,
            subject=subject,
            site=site,
            logit=prediction.logit,
            temperature=self.policy.temperature,
            operating_point=self.policy.operating_point,
            abstain_band=(self.policy.abstain_low, self.policy.abstain_high),
            preprocess_fingerprint=self._fingerprint,
            machine=self._machine() if self._machine else None,
            skin_edge_version=__version__,
        )
        if self._keeping is not None:
            record = self._keeping.keep(record, frame.pixels)
        return Outcome(record, prediction)
