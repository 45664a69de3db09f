"""Records for the tests of the results log; imports nothing heavy, so that writers start at once."""

from __future__ import annotations

from typing import Any

import msgspec

from skin_edge.results.record import Machine, ModelRef, Quality, ResultRecord, Timing

SAMPLE = ResultRecord(
    image="replay:photos #7",
    label="malignant",
    probability=0.8125,
    refer=True,
    threshold=0.31,
    reasons=(),
    quality=Quality(ok=True, metrics={"focus": 112.5, "exposure": 0.5}),
    model=ModelRef(name="student", version="1.0.0", sha256="ab" * 32),
    timing_ms=Timing(preprocess=7.25, inference=1.5, total=9.0),
    created_at="2026-01-31T12:00:00.250Z",
    source="replay:photos",
    subject="P-017",
    site="left forearm",
    logit=1.75,
    temperature=1.2,
    operating_point="sensitivity-95",
    abstain_band=(0.25, 0.4),
    preprocess_fingerprint="cd" * 32,
    image_path=None,
    image_sha256=None,
    explanation_path=None,
    machine=Machine(temperature_c=48.5, throttled=False, clock="rtc"),
)


def make_record(**changes: Any) -> ResultRecord:
    """Return the sample record with these fields instead."""
    return msgspec.structs.replace(SAMPLE, **changes)
