"""FHIR: what two validating libraries accept, and what the codes and words say."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle as R4BBundle
from fhirclient.models.bundle import Bundle as R4Bundle
from fhirclient.models.fhirabstractbase import FHIRValidationError
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_records import make_record

import skin_edge
from skin_edge.results.export import write_records
from skin_edge.results.record import Quality, ResultRecord, new_result_id

ID = "019ba2c4-5e10-7000-8000-000000000001"


def exported(*records: ResultRecord) -> dict[str, Any]:
    stream = io.BytesIO()
    assert write_records(records, stream, "fhir") == len(records)
    found: dict[str, Any] = json.loads(stream.getvalue())
    return found


def validated(*records: ResultRecord) -> list[dict[str, Any]]:
    """The resources, after the models of R4 (4.0.1) and of R4B (4.3.0) have taken the Bundle."""
    bundle = exported(*records)
    R4Bundle(bundle, strict=True)
    R4BBundle.model_validate(bundle)
    return [entry["resource"] for entry in bundle.get("entry", [])]


def observations(record: ResultRecord) -> dict[str, dict[str, Any]]:
    found = {}
    for resource in validated(record)[1:]:
        found[resource["code"]["coding"][0]["code"]] = resource
    return found


def test_the_validators_of_this_test_refuse_what_is_wrong() -> None:
    bundle = exported(make_record(result_id=ID))
    for spoil in ("status", "code"):
        spoiled = json.loads(json.dumps(bundle))
        del spoiled["entry"][1]["resource"][spoil]
        with pytest.raises(FHIRValidationError):
            R4Bundle(spoiled, strict=True)
        with pytest.raises(ValueError, match=spoil):
            R4BBundle.model_validate(spoiled)
    bundle["entry"][0]["resource"]["invented"] = 1
    with pytest.raises(FHIRValidationError):
        R4Bundle(bundle, strict=True)


def test_an_empty_log_is_a_bundle_without_entries() -> None:
    assert validated() == []
    assert "entry" not in exported()


def test_a_result_is_a_report_with_four_observations_that_it_refers_to() -> None:
    bundle = exported(make_record(result_id=ID), make_record(result_id=new_result_id()))
    assert bundle["type"] == "collection"
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds == ["DiagnosticReport", *["Observation"] * 4] * 2
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == 10
    assert urls[0] == f"urn:uuid:{ID}"
    assert [result["reference"] for result in bundle["entry"][0]["resource"]["result"]] == urls[1:5]
    for url in urls:
        uuid.UUID(url.removeprefix("urn:uuid:"))


def test_the_same_result_has_the_same_ids_in_every_export() -> None:
    first, second = (exported(make_record(result_id=ID)) for _ in range(2))
    assert first["entry"] == second["entry"]


def test_nothing_is_called_final_and_every_resource_says_what_this_is_not() -> None:
    report, *others = validated(make_record(result_id=ID))
    assert report["status"] == "partial"
    assert skin_edge.DISCLAIMER in report["conclusion"]
    for observation in others:
        assert observation["status"] == "preliminary"
        assert observation["note"][0]["text"] == skin_edge.DISCLAIMER


def test_the_probability_has_its_unit_threshold_model_and_body_site() -> None:
    found = observations(make_record(result_id=ID))["malignancy-probability"]
    assert found["valueQuantity"] == {
        "value": 0.8125, "unit": "1", "system": "http://unitsofmeasure.org", "code": "1"
    }  # fmt: skip
    assert found["referenceRange"][0]["high"]["value"] == 0.31
    assert found["bodySite"] == {"text": "left forearm"}
    assert found["subject"]["identifier"] == {"system": "urn:skin-edge:subject", "value": "P-017"}
    assert found["effectiveDateTime"] == "2026-01-31T12:00:00.250Z"
    (device,) = found["contained"]
    assert found["device"] == {"reference": f"#{device['id']}"}
    assert device["identifier"] == [{"system": "urn:skin-edge:model-sha256", "value": "ab" * 32}]
    assert device["deviceName"] == [{"name": "student", "type": "model-name"}]
    assert device["version"][0]["value"] == "1.0.0"
    assert [coding["code"] for coding in found["interpretation"][0]["coding"]] == ["malignant", "H"]


def test_refer_and_fitness_are_truth_values() -> None:
    found = observations(make_record(result_id=ID, refer=False))
    assert found["refer"]["valueBoolean"] is False
    assert found["image-fit"]["valueBoolean"] is True


def test_uncertain_has_no_value_but_a_reason_and_the_quality_reasons_are_notes() -> None:
    quality = Quality(ok=False, reasons=("out-of-focus", "too-dark"))
    record = make_record(result_id=ID, label="uncertain", reasons=("poor-quality",), quality=quality)
    found = observations(record)
    label = found["triage-label"]
    assert "valueCodeableConcept" not in label
    assert label["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert "poor-quality" in label["dataAbsentReason"]["text"]
    assert "out-of-focus, too-dark" in label["note"][1]["text"]
    codes = [coding["code"] for coding in found["malignancy-probability"]["interpretation"][0]["coding"]]
    assert codes == ["uncertain", "IND"]
    assert found["image-fit"]["valueBoolean"] is False


def test_without_subject_and_site_none_is_made_up() -> None:
    for text in (None, "", "  "):
        for resource in validated(make_record(result_id=ID, subject=text, site=text)):
            assert "subject" not in resource
            assert "bodySite" not in resource


def test_an_encrypted_subject_is_masked_not_absent() -> None:
    record = make_record(result_id=ID, subject=None, site=None, encrypted=("subject", "site"))
    for resource in validated(record):
        assert resource["subject"]["display"] == "encrypted"
        assert resource["subject"]["extension"][0]["valueCode"] == "masked"


def test_no_picture_nor_path_of_one_is_in_an_export() -> None:
    record = make_record(result_id=ID, image_path="images/2026/01/31/x.png", image_sha256="ee" * 32)
    text = json.dumps(exported(record))
    assert "images/" not in text
    assert "ee" * 32 not in text


@settings(deadline=None)  # the validating libraries build their models at first use
@given(
    text=st.text(st.characters(codec="utf-8"), max_size=30),
    probability=st.floats(0, 1),
    label=st.sampled_from(["benign", "malignant", "uncertain"]),
    result_id=st.one_of(st.just(ID), st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)),
)
def test_whatever_a_row_holds_makes_valid_resources(
    text: str, probability: float, label: Any, result_id: str
) -> None:
    record = make_record(
        result_id=result_id,
        probability=probability,
        label=label,
        subject=text,
        site=text,
        reasons=(text,),
        operating_point=text,
        quality=Quality(ok=False, reasons=(text,)),
    )
    validated(record)
    for resource in validated(record):
        for value in strings(resource):
            assert value
            assert value == value.strip()
            assert not any(ord(c) < 32 and c not in "\t\n\r" for c in value)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in strings(item)]
    if isinstance(value, list):
        return [found for item in value for found in strings(item)]
    return [value] if isinstance(value, str) else []
