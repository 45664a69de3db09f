"""From logits to what is told to the user: calibration, operating point, burst aggregation, abstention.

The figures come from the bundle, where they were chosen on validation lesions; nothing here is tuned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from skin_edge.errors import UsageError
from skin_edge.frame import Decision, Label, Prediction, QualityReport
from skin_edge.model.manifest import Manifest

#: Why an answer is `uncertain`, as stable identifiers.
IN_ABSTAIN_BAND = "near-threshold"
POOR_QUALITY = "poor-quality"
FRAMES_DISAGREE = "frames-disagree"


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """The bundle's rule for turning a logit into an answer.

    Attributes:
        operating_point: name of the operating point in use.
        threshold: its probability.
        temperature: divides the logit before the sigmoid (Guo et al. 2017).
        abstain_low: probabilities from here on ...
        abstain_high: ... up to, but not including, here are answered `uncertain`.
    """

    operating_point: str
    threshold: float
    temperature: float
    abstain_low: float
    abstain_high: float

    @classmethod
    def from_manifest(cls, manifest: Manifest, operating_point: str | None = None) -> DecisionPolicy:
        """The policy of a bundle at its default operating point, or at the one named.

        The abstain band was measured around the default operating point. At another one it moves along,
        keeping its width in log-odds.

        Raises:
            UsageError: the bundle has no operating point of that name.
        """
        points = {point.name: point for point in manifest.operating_points}
        name = operating_point or manifest.default_operating_point
        if name not in points:
            raise UsageError(
                f"{manifest.identity} has no operating point {name!r}; it has: {', '.join(points)}"
            )
        threshold, default = points[name].threshold, points[manifest.default_operating_point].threshold
        shift = _log_odds(threshold) - _log_odds(default)
        band = manifest.abstain_band
        return cls(
            operating_point=name,
            threshold=threshold,
            temperature=manifest.temperature,
            abstain_low=_shifted(band.low, shift),
            abstain_high=_shifted(band.high, shift),
        )

    def probability(self, logit: float) -> float:
        """Calibrated probability of malignant, 0 to 1."""
        return _sigmoid(logit / self.temperature)

    def spread(self, logits: Sequence[float]) -> float:
        """Largest difference between two of the frames, in calibrated log-odds; 0 for one frame."""
        return (max(logits) - min(logits)) / self.temperature

    def decide(self, prediction: Prediction, quality: QualityReport) -> Decision:
        """Return the answer for one frame; a frame unfit to classify is never called benign."""
        return self.decide_burst((prediction.logit,), quality, max_spread=math.inf)

    def decide_burst(self, logits: Sequence[float], quality: QualityReport, *, max_spread: float) -> Decision:
        """Return the answer for frames of one lesion: that of their mean logit, where they agree.

        They disagree where two of them differ by more than `max_spread`, or where some lie above the
        operating point and some below it.

        Args:
            logits: of the frames that were classified, at least one.
            quality: of the best of them.
            max_spread: in calibrated log-odds.
        """
        probability = self.probability(sum(logits) / len(logits))
        reasons = []
        if not quality.ok:
            reasons.append(POOR_QUALITY)
        above = [self.probability(logit) >= self.threshold for logit in logits]
        if self.spread(logits) > max_spread or any(above) != all(above):
            reasons.append(FRAMES_DISAGREE)
        if self.abstain_low <= probability < self.abstain_high:
            reasons.append(IN_ABSTAIN_BAND)
        label: Label = "malignant" if probability >= self.threshold else "benign"
        if reasons:
            label = "uncertain"
        return Decision(
            label=label,
            probability=probability,
            refer=label != "benign",
            threshold=self.threshold,
            reasons=tuple(reasons),
        )


def _sigmoid(x: float) -> float:
    # Written so that exp never overflows.
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def _log_odds(p: float) -> float:
    return math.log(p / (1.0 - p))


def _shifted(p: float, shift: float) -> float:
    """Probability `p` moved by `shift` in log-odds; 0 and 1 stay where they are."""
    return p if p in (0.0, 1.0) or shift == 0.0 else _sigmoid(_log_odds(p) + shift)
