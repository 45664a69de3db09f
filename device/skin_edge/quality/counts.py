"""How often the gate refused, by reason: what a run says of itself when it ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from skin_edge.frame import QualityReport
from skin_edge.quality.reasons import REASON_TEXT


@dataclass(slots=True)
class RefusalCounts:
    """Adds up the gate's reports; the memory it takes does not grow with the number of frames.

    Attributes:
        frames: how many reports were added.
        refused: how many of them had a reason.
    """

    frames: int = 0
    refused: int = 0
    _reasons: Counter[str] = field(default_factory=Counter)

    def add(self, report: QualityReport) -> None:
        """Count one frame. A frame with two reasons is one refusal and counts for both reasons."""
        self.frames += 1
        self.refused += not report.ok
        self._reasons.update(report.reasons)

    def by_reason(self) -> dict[str, int]:
        """Return the count of every reason that was given, in the order of `REASON_TEXT`."""
        order = {reason: place for place, reason in enumerate(REASON_TEXT)}
        return dict(sorted(self._reasons.items(), key=lambda item: order.get(item[0], len(order))))

    def summary(self) -> str:
        """Return one line for a person, such as `12 of 300 frames unfit: out-of-focus 8, motion 4`."""
        noun = "frame" if self.frames == 1 else "frames"
        if not self.refused:
            return f"0 of {self.frames} {noun} unfit"
        told = ", ".join(f"{reason} {count}" for reason, count in self.by_reason().items())
        return f"{self.refused} of {self.frames} {noun} unfit: {told}"
