"""The log as HL7 FHIR R4 (4.0.1): one Bundle with a DiagnosticReport and its Observations for each result.

No code of LOINC or SNOMED CT says what a triage model says, so the codes are the project's own, under URNs,
each with its meaning as text. Where HL7 or UCUM has a code that fits exactly, it is used.
Every report is `partial` and every observation `preliminary`, FHIR's words for what nobody has verified.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any, BinaryIO

import msgspec

from skin_edge.results.record import ResultRecord, utc_timestamp

RESULT_SYSTEM = "urn:skin-edge:result"
SUBJECT_SYSTEM = "urn:skin-edge:subject"
MODEL_SYSTEM = "urn:skin-edge:model-sha256"
CODE_SYSTEM = "urn:skin-edge:code"
LABEL_SYSTEM = "urn:skin-edge:label"

_ABSENT_SYSTEM = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_ABSENT_EXTENSION = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_INTERPRETATION_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_UCUM = "http://unitsofmeasure.org"

#: For the ids of observations, which are then the same in every export of the same result.
_NAMESPACE = uuid.UUID("6f0f6a3e-2c57-5b0a-9d8e-3a1c8d2f4b70")

_LABELS = {
    "benign": "No sign of malignancy at this operating point",
    "malignant": "Suspicious of malignancy",
    "uncertain": "No reliable answer",
}

Resource = dict[str, Any]


def write_bundle(records: Iterable[ResultRecord], stream: BinaryIO) -> int:
    """Write a Bundle of type collection with the records, one by one, and return how many there were.

    Raises:
        OSError: the stream does not take the text.
        StorageError: from the log that gives the records.
    """
    encoder = msgspec.json.Encoder()
    head = {"resourceType": "Bundle", "type": "collection", "timestamp": utc_timestamp(time.time())}
    stream.write(encoder.encode(head)[:-1])
    count = 0
    for count, record in enumerate(records, start=1):
        for entry in entries(record):
            stream.write(
                b'\n,"entry":[' if count == 1 and entry["resource"]["resourceType"] == _FIRST else b"\n,"
            )
            stream.write(encoder.encode(entry))
    stream.write(b"]}\n" if count else b"}\n")  # FHIR knows no empty list
    return count


_FIRST = "DiagnosticReport"


def entries(record: ResultRecord) -> list[Resource]:
    """Return the Bundle entries of one result: its DiagnosticReport, then its Observations."""
    observations = [_entry(_uuid(record, code), resource) for code, resource in _observations(record)]
    report = _report(record, [entry["fullUrl"] for entry in observations])
    return [_entry(_uuid(record), report), *observations]


def _report(record: ResultRecord, results: list[str]) -> Resource:
    return {
        "resourceType": _FIRST,
        "identifier": _identifier(record),
        "status": "partial",
        "category": [_coded("photographic-image-analysis", "Analysis of a photograph by a program")],
        "code": _coded("skin-lesion-triage", "Skin lesion triage by a neural network, for research"),
        **_context(record),
        "issued": record.created_at,
        "result": [{"reference": url} for url in results],
        "conclusion": _text(
            f"{record.label}: {_LABELS[record.label]}. Probability of malignancy {record.probability:.3f}, "
            f"threshold {record.threshold:.3f} ({record.operating_point}). {record.notice}"
        ),
        "conclusionCode": [_label(record)],
    }


def _observations(record: ResultRecord) -> Iterable[tuple[str, Resource]]:
    yield _observation(
        record,
        "malignancy-probability",
        "Calibrated probability that the lesion is malignant",
        valueQuantity=_share(record.probability),
        interpretation=[_interpretation(record)],
        referenceRange=[
            {
                "high": _share(record.threshold),
                "text": _text(f"Below the threshold of operating point {record.operating_point}"),
            }
        ],
    )
    answered: Resource = {"valueCodeableConcept": _label(record)}
    if record.label == "uncertain":
        unknown = {"system": _ABSENT_SYSTEM, "code": "unknown", "display": "Unknown"}
        reasons = ", ".join(record.reasons)
        text = _text(f"Uncertain: {reasons}") if reasons else "Uncertain"
        answered = {"dataAbsentReason": {"coding": [unknown], "text": text}}
    yield _observation(record, "triage-label", "What the model answers", **answered)
    yield _observation(record, "refer", "A clinician should see the lesion", valueBoolean=record.refer)
    yield _observation(
        record, "image-fit", "The picture was fit to be judged", valueBoolean=record.quality.ok
    )


def _observation(record: ResultRecord, code: str, meaning: str, **value: Any) -> tuple[str, Resource]:
    notes = [record.notice]
    if record.quality.reasons:
        notes.append(f"The picture is not fit to be judged: {', '.join(record.quality.reasons)}")
    resource: Resource = {
        "resourceType": "Observation",
        "contained": [_device(record)],
        "identifier": _identifier(record, code),
        "status": "preliminary",
        "category": [_coded("photographic-image-analysis", "Analysis of a photograph by a program")],
        "code": _coded(code, meaning),
        **_context(record),
        "issued": record.created_at,
        **value,
        "note": [{"text": _text(note)} for note in notes],
        "device": {"reference": "#model"},
    }
    if record.site and _text(record.site):
        resource["bodySite"] = {"text": _text(record.site)}
    return code, resource


def _context(record: ResultRecord) -> Resource:
    found: Resource = {"effectiveDateTime": record.created_at}
    if record.subject and _text(record.subject):
        identifier = {"system": SUBJECT_SYSTEM, "value": _text(record.subject)}
        found["subject"] = {"type": "Patient", "identifier": identifier}
    elif "subject" in record.encrypted:
        masked = {"url": _ABSENT_EXTENSION, "valueCode": "masked"}
        found["subject"] = {"extension": [masked], "type": "Patient", "display": "encrypted"}
    return found


def _device(record: ResultRecord) -> Resource:
    model = record.model
    return {
        "resourceType": "Device",
        "id": "model",
        "identifier": [{"system": MODEL_SYSTEM, "value": _text(model.sha256)}],
        "deviceName": [{"name": _text(model.name), "type": "model-name"}],
        "type": {"text": "Neural network for skin lesion triage"},
        "version": [
            {"type": {"text": "model"}, "value": _text(model.version)},
            {"type": {"text": "skin-edge"}, "value": _text(record.skin_edge_version)},
        ],
    }


def _identifier(record: ResultRecord, part: str | None = None) -> list[Resource]:
    value = str(record.result_id) if part is None else f"{record.result_id}/{part}"
    return [{"system": RESULT_SYSTEM, "value": _text(value) or _uuid(record, part)}]


def _uuid(record: ResultRecord, part: str | None = None) -> str:
    if part is None:
        try:
            return str(uuid.UUID(record.result_id))
        except (ValueError, TypeError):
            pass  # a row whose id another program made
    return str(uuid.uuid5(_NAMESPACE, f"{record.result_id}/{part or ''}"))


def _entry(identifier: str, resource: Resource) -> Resource:
    return {"fullUrl": f"urn:uuid:{identifier}", "resource": resource}


def _coded(code: str, meaning: str) -> Resource:
    return {"coding": [{"system": CODE_SYSTEM, "code": code, "display": meaning}], "text": meaning}


def _label(record: ResultRecord) -> Resource:
    meaning = _LABELS[record.label]
    return {"coding": [{"system": LABEL_SYSTEM, "code": record.label, "display": meaning}], "text": meaning}


def _interpretation(record: ResultRecord) -> Resource:
    found = _label(record)
    if record.label == "uncertain":
        found["coding"].append({"system": _INTERPRETATION_SYSTEM, "code": "IND", "display": "Indeterminate"})
    elif record.probability >= record.threshold:
        found["coding"].append({"system": _INTERPRETATION_SYSTEM, "code": "H", "display": "High"})
    return found


def _share(value: float) -> Resource:
    return {"value": value, "unit": "1", "system": _UCUM, "code": "1"}


def _text(text: str) -> str:
    """Return text as FHIR takes it: no control characters, no white space around it."""
    return "".join(c if c.isprintable() or c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text).strip()
