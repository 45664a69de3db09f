"""History, search and export say what the log says, in the command line's very bytes."""

from __future__ import annotations

import csv
import io
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skin_edge.results.log import ResultsLog
from skin_edge.results.record import ResultRecord, new_result_id
from skin_edge.results.search import find, iter_found

COUNT = 600


def record(number: int) -> ResultRecord:
    from msgspec import convert

    return convert(
        {
            "image": f"#{number}", "label": ("benign", "malignant", "uncertain")[number % 3],
            "probability": 0.5, "refer": True, "threshold": 0.2, "reasons": (),
            "quality": {"ok": True}, "model": {"name": "m", "version": "1", "sha256": "0" * 64},
            "timing_ms": {"preprocess": 1.0, "inference": 1.0, "total": 2.0},
            "result_id": new_result_id(1_790_000_000 + number), "created_at": "2026-11-25T08:00:00.000Z",
            "source": "demo", "subject": f"P-{number % 7}" if number % 2 else None,
            "site": ("left forearm", "back 50%_", None)[number % 3], "logit": 0.0, "temperature": 1.0,
            "operating_point": "p", "abstain_band": (0.1, 0.2), "preprocess_fingerprint": "f",
        },
        ResultRecord,
    )  # fmt: skip


@pytest.fixture(scope="module")
def filled(kiosk: Any) -> Any:
    with ResultsLog(kiosk.state) as log:
        for number in range(COUNT):
            log.append(record(number))
    return kiosk


def page(kiosk: Any, **query: object) -> tuple[list[dict[str, Any]], int]:
    answer = kiosk.get("/api/results", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"], answer.json()["total"]


def test_pages_are_newest_first_and_meet_without_gap(filled: Any) -> None:
    seen: list[str] = []
    for offset in range(0, COUNT, 200):
        results, total = page(filled, offset=offset, limit=200)
        assert total == COUNT
        seen += [result["image"] for result in results]
    assert seen == [f"#{number}" for number in reversed(range(COUNT))]
    assert len(page(filled)[0]) == 50
    assert page(filled, offset=COUNT)[0] == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=-1", "limit=x", "limit=1e2", "offset=-1", "offset=x", "limit=",
     "offset=99999999999999999999", "limit=%D9%A1", f"q={'x' * 201}"],
)  # fmt: skip
def test_what_is_no_page_is_refused(filled: Any, query: str) -> None:
    refused = filled.get(f"/api/results?{query}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "query")


def test_search_looks_at_subject_site_label_and_id(filled: Any) -> None:
    for query, fits in (
        ("p-3", lambda r: r.get("subject") == "P-3"),
        ("FOREARM", lambda r: r.get("site") == "left forearm"),
        ("malig", lambda r: r["label"] == "malignant"),
        ("50%_", lambda r: r.get("site") == "back 50%_"),
    ):
        results, total = page(filled, q=query, limit=200)
        everything = [msg for at in range(0, COUNT, 200) for msg in page(filled, offset=at, limit=200)[0]]
        assert total == sum(map(fits, everything)) > 0, query
        assert all(map(fits, results)), query
    (newest, *_), _ = page(filled, limit=1)
    assert page(filled, q=newest["result_id"])[1] == 1
    assert page(filled, q="50%%")[1] == 0, "a wildcard is a character"
    assert page(filled, q="' OR 1=1 --")[1] == 0


def test_one_result_and_one_that_is_not_there(filled: Any) -> None:
    newest = page(filled, limit=1)[0][0]
    assert filled.get(f"/api/results/{newest['result_id']}").json() == newest
    missing = filled.get("/api/results/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "no-such-result")


@pytest.mark.parametrize(("form", "suffix"), [("csv", "csv"), ("jsonl", "jsonl"), ("fhir", "json")])
def test_an_export_is_that_of_the_command_line(
    filled: Any, run_cli: Callable[..., Any], form: str, suffix: str
) -> None:
    ours = filled.get("/api/export", params={"format": form})
    state = {"SKIN_EDGE_HOME": str(filled.state)}
    theirs = run_cli("results", "export", "--format", form, env=state, text=False).stdout
    assert f'filename="skin-edge-results.{suffix}"' in ours.headers["content-disposition"]
    if form == "fhir":  # which has the time of the export in it
        first, second = json.loads(ours.content), json.loads(theirs)
        first.pop("timestamp"), second.pop("timestamp")
        assert first == second
    else:
        assert ours.content == theirs


def test_an_export_may_be_of_what_was_searched(filled: Any) -> None:
    found = filled.get("/api/export", params={"format": "csv", "q": "p-3"}).text
    lines = list(csv.DictReader(io.StringIO(found)))
    assert lines
    assert {line["subject"] for line in lines} == {"P-3"}
    assert filled.get("/api/export?format=xlsx").status_code == 422


def test_exports_that_nobody_takes_do_not_stop_others(start_kiosk: Any, tmp_path: Path) -> None:
    many = 20_000  # more than the buffers of a socket hold
    with ResultsLog(tmp_path / "state") as log, log.transaction("fill the log"):
        for number in range(many):
            log.append(record(number))
    kiosk = start_kiosk().consent()
    address = (kiosk.http.base_url.host, kiosk.http.base_url.port)
    stuck = [socket.create_connection(address) for _ in range(45)]  # more than there are threads by default
    try:
        for connection in stuck:
            connection.sendall(b"GET /api/export?format=jsonl HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert page(kiosk, limit=1)[1] == many
        assert kiosk.capture().status_code == 200
    finally:
        for connection in stuck:
            connection.close()
    assert kiosk.get("/api/export?format=jsonl").text.count("\n") == many + 1


def test_search_in_an_encrypted_log(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    from skin_edge.results.keys import load_keyring, write_new_key
    from skin_edge.sections import EncryptionConfig

    write_new_key(tmp_path / "key")
    keyring = load_keyring(EncryptionConfig(key_file=str(tmp_path / "key")), to_write=True)
    with ResultsLog(tmp_path / "state", keyring=keyring) as log:
        for number in range(9):
            log.append(record(number))
        assert find(log, "P-3", offset=0, limit=9)[1] == 1
        assert find(log, "P-", offset=0, limit=9)[1] == 0, "a part of what is sealed cannot be found"
        assert find(log, "benign", offset=0, limit=9)[1] == 3
        assert [r.subject for r in iter_found(log, "P-5")] == ["P-5"]
