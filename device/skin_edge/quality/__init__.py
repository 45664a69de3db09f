"""Is a frame fit to classify, and if not, why: `assess` looks at the square that the network sees.

A refusal is never silent: each reason has an identifier for scripts and a sentence that says what to do.
What each reason means, and how often it is given to pictures that
deserve it and to pictures that do not, is in `docs/quality.md`.
"""

from __future__ import annotations

from skin_edge.quality.gate import assess, assess_square
from skin_edge.quality.reasons import (
    GLARE,
    MOTION,
    NO_LESION,
    NOT_SKIN,
    OUT_OF_FOCUS,
    REASON_TEXT,
    TOO_BRIGHT,
    TOO_DARK,
    TOO_SMALL,
)
from skin_edge.quality.working import working_square
from skin_edge.sections import QualityThresholds

__all__ = [
    "GLARE",
    "MOTION",
    "NOT_SKIN",
    "NO_LESION",
    "OUT_OF_FOCUS",
    "REASON_TEXT",
    "TOO_BRIGHT",
    "TOO_DARK",
    "TOO_SMALL",
    "QualityThresholds",
    "assess",
    "assess_square",
    "working_square",
]
