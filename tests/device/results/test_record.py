"""The record is the JSON contract of DESIGN: others script against its keys and types."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_records import SAMPLE, make_record

import skin_edge
from skin_edge import frame
from skin_edge.results import record as record_module
from skin_edge.results.record import ModelRef, Quality, ResultRecord, Timing, new_result_id, utc_timestamp

CONTRACT = """
{"image": "replay:photos #7", "label": "malignant", "probability": 0.8125, "refer": true, "threshold": 0.31,
 "reasons": [], "quality": {"ok": true, "reasons": [], "metrics": {"focus": 112.5, "exposure": 0.5}},
 "model": {"name": "student", "version": "1.0.0", "sha256": "MODEL"},
 "timing_ms": {"preprocess": 7.25, "inference": 1.5, "total": 9.0}, "result_id": "r1",
 "created_at": "2026-01-31T12:00:00.250Z", "source": "replay:photos", "subject": "P-017",
 "site": "left forearm", "logit": 1.75, "temperature": 1.2, "operating_point": "sensitivity-95",
 "abstain_band": [0.25, 0.4], "preprocess_fingerprint": "SPEC", "image_path": null, "image_sha256": null,
 "explanation_path": null, "burst": null,
 "machine": {"temperature_c": 48.5, "throttled": false, "under_voltage": null, "clock": "rtc"},
 "pictures_removed_at": null, "encrypted": [], "skin_edge_version": "VERSION",
 "notice": "Triage and research aid, not a diagnosis: a clinician decides."}
"""
for placeholder, value in (("MODEL", "ab" * 32), ("SPEC", "cd" * 32), ("VERSION", skin_edge.__version__)):
    CONTRACT = CONTRACT.replace(placeholder, value)


def test_the_json_is_the_contract_key_by_key_and_in_order() -> None:
    encoded = json.loads(msgspec.json.encode(make_record(result_id="r1")))
    expected = json.loads(CONTRACT)
    assert encoded == expected
    assert list(encoded) == list(expected)
    assert list(encoded["quality"]) == list(expected["quality"])


def test_decoding_gives_the_same_record() -> None:
    assert msgspec.json.decode(msgspec.json.encode(SAMPLE), type=ResultRecord) == SAMPLE


def test_a_row_of_a_version_without_the_optional_fields_decodes() -> None:
    encoded = json.loads(CONTRACT)
    for name in (
        *("reasons", "image_path", "explanation_path", "subject", "burst", "machine"),
        *("pictures_removed_at", "encrypted"),
    ):
        del encoded[name]
    assert msgspec.json.decode(json.dumps(encoded), type=ResultRecord) == make_record(
        result_id="r1", subject=None, machine=None
    )


NUMBERS = ("probability", "threshold", "logit", "temperature")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_lacks_is_refused_wherever_it_is(bad: float) -> None:
    for name in NUMBERS:
        with pytest.raises(ValueError, match=name):
            make_record(**{name: bad})
    with pytest.raises(ValueError, match="abstain_band"):
        make_record(abstain_band=(0.1, bad))
    with pytest.raises(ValueError, match=r"metrics\.focus"):
        Quality(ok=True, metrics={"focus": bad})
    with pytest.raises(ValueError, match="inference"):
        Timing(preprocess=1.0, inference=bad, total=1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"probability": 1.01},
        {"threshold": -0.1},
        {"label": "fine"},
        {"created_at": "2026-01-31 12:00:00"},
        {"created_at": "2026-01-31T12:00:00.000+00:00"},
    ],
)
def test_a_value_outside_its_range_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        make_record(**change)


def test_numpy_scalars_become_plain_numbers() -> None:
    record = make_record(probability=np.float32(0.5), abstain_band=(np.float64(0.25), np.float32(0.5)))
    assert record == make_record(probability=0.5, abstain_band=(0.25, 0.5))
    assert json.loads(msgspec.json.encode(record))["probability"] == 0.5


@given(st.text(st.characters(codec=None), max_size=30))
def test_any_text_even_a_file_name_that_is_not_utf8_survives_json(name: str) -> None:
    record = make_record(image=name, subject=name)
    assert msgspec.json.decode(msgspec.json.encode(record), type=ResultRecord) == record


def test_an_undecodable_byte_of_a_file_name_stays_visible() -> None:
    assert make_record(image=b"caf\xe9.jpg".decode("utf-8", "surrogateescape")).image == "caf\\udce9.jpg"


def test_labels_are_those_of_a_decision() -> None:
    assert get_args(record_module.Label) == get_args(frame.Label)
    for label in get_args(frame.Label):
        decision = frame.Decision(label=label, probability=0.5, refer=True, threshold=0.5)
        assert make_record(**asdict(decision)).label == label


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1769860800.25, "2026-01-31T12:00:00.250Z"),
        (1769860800.9999, "2026-01-31T12:00:00.999Z"),
        (-0.5, "1969-12-31T23:59:59.500Z"),
    ],
)
def test_a_timestamp_is_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert utc_timestamp(seconds) == text


@given(st.lists(st.floats(0, 4e9), min_size=2, max_size=20))
def test_ids_and_timestamps_sort_by_time(seconds: list[float]) -> None:
    moments = sorted({int(second * 1000) / 1000 for second in seconds})
    assert sorted(ids := [new_result_id(moment) for moment in moments]) == ids
    assert sorted(stamps := [utc_timestamp(moment) for moment in moments]) == stamps


def test_an_id_is_a_version_7_uuid_of_its_moment() -> None:
    import uuid

    identifier = uuid.UUID(new_result_id(1769860800.25))
    assert (identifier.int >> 80, identifier.int >> 76 & 0xF) == (1769860800250, 7)
    assert identifier.variant == uuid.RFC_4122
    assert len({new_result_id(0.0) for _ in range(1000)}) == 1000


def test_record_and_log_start_without_numpy_opencv_and_rich() -> None:
    script = (
        "import sys, skin_edge.results.log; print([m for m in ('numpy', 'cv2', 'rich') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


def test_model_reference_refuses_what_it_does_not_know() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(b'{"name": "a", "version": "1", "sha256": "0", "size": 1}', type=ModelRef)
