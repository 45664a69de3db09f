"""A capture from the page is what `skin-edge capture` would have made, durable before it is shown."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest


def rows(state: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(state / "results.sqlite3") as log:
        return [json.loads(r) for (r,) in log.execute("SELECT record FROM results ORDER BY seq")]


def test_a_capture_is_a_durable_row_with_what_was_typed(kiosk: Any) -> None:
    answer = kiosk.capture(subject=" P-1 ", site="back").json()
    assert rows(kiosk.state)[-1] == answer["result"]
    assert (answer["result"]["subject"], answer["result"]["site"]) == ("P-1", "back")
    assert answer["result"]["source"] == "demo"


def test_the_record_is_the_one_that_the_command_line_makes(kiosk: Any, run_cli: Callable[..., Any]) -> None:
    told = run_cli("capture", "--source", "demo", "--once", "--json", "--subject", "P-1", "--site", "arm")
    theirs = json.loads(told.stdout)
    ours = kiosk.capture(subject="P-1", site="arm").json()["result"]
    assert list(ours) == list(theirs)
    same = ("model", "threshold", "temperature", "operating_point", "abstain_band", "notice", "burst", "site")
    assert {k: ours[k] for k in (*same, "preprocess_fingerprint", "skin_edge_version")} == {
        k: theirs[k] for k in (*same, "preprocess_fingerprint", "skin_edge_version")
    }
    assert set(ours["quality"]["metrics"]) == set(theirs["quality"]["metrics"])


def test_the_same_picture_gets_the_same_answer_as_from_the_command_line(
    start_kiosk: Any, run_cli: Callable[..., Any], tmp_path: Path
) -> None:
    from skin_edge.camera.drawing import draw

    cv2.imwrite(str(tmp_path / "lesion.png"), draw(3, 0).pixels[:, :, ::-1])
    (theirs,) = map(json.loads, run_cli("classify", tmp_path / "lesion.png", "--json").stdout.splitlines())
    ours = start_kiosk(f"replay:{tmp_path / 'lesion.png'}").consent().capture().json()["result"]
    same = ("image", "label", "logit", "probability", "refer", "reasons", "quality", "model")
    assert {k: ours[k] for k in same} == {k: theirs[k] for k in same}


def test_picture_and_map_fit_each_other_and_are_kept_for_the_last_captures(kiosk: Any) -> None:
    first = kiosk.capture().json()
    picture = kiosk.get(first["picture"])
    overlay = kiosk.get(first["map"])
    assert (picture.headers["content-type"], overlay.headers["content-type"]) == ("image/jpeg", "image/png")
    rgb = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_UNCHANGED)
    rgba = cv2.imdecode(np.frombuffer(overlay.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert rgba.shape == (*rgb.shape[:2], 4)
    assert rgba[:, :, 3].max() > 0, "nothing is coloured"
    assert rgba[0, 0, 3] == 0, "the corner is outside what the network saw"
    for _ in range(8):
        last = kiosk.capture().json()
    assert kiosk.get(last["picture"]).status_code == 200
    assert kiosk.get(first["picture"]).status_code == 404
    assert kiosk.get(f"/api/pictures/{last['result']['result_id']}.exe").status_code == 404


def test_a_refused_picture_is_a_row_that_says_why(start_kiosk: Any, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "dark.png"), np.full((480, 640, 3), 4, np.uint8))
    kiosk = start_kiosk(f"replay:{tmp_path / 'dark.png'}").consent()
    result = kiosk.capture().json()["result"]
    assert (result["label"], result["refer"], result["quality"]["reasons"]) == (
        "uncertain",
        True,
        ["too-dark"],
    )
    assert kiosk.snapshot()["hints"] == ["too-dark"]
    assert kiosk.metric("skin_edge_refusals_total") == 1


def test_a_second_capture_is_told_to_wait_and_leaves_no_row(start_kiosk: Any, wait_until: Any) -> None:
    kiosk = start_kiosk("fault:slow,after=0,times=0,for=0.4").consent()
    wait_until(lambda: kiosk.snapshot()["camera"]["state"] == "ok")
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(kiosk.capture()))
    thread.start()
    wait_until(lambda: kiosk.snapshot()["busy"])
    second = kiosk.capture()
    assert (second.status_code, second.json()["error"]["code"]) == (409, "busy")
    thread.join()
    assert answers[0].status_code == 200
    assert not kiosk.snapshot()["busy"]
    assert [row["result_id"] for row in rows(kiosk.state)] == [answers[0].json()["result"]["result_id"]]
    assert kiosk.capture().status_code == 200, "and then it is free again"


def test_nothing_is_captured_before_the_notice_is_accepted(start_kiosk: Any) -> None:
    kiosk = start_kiosk()
    refused = kiosk.capture()
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "consent")
    assert rows(kiosk.state) == []
    assert not kiosk.snapshot()["consent"]
    assert kiosk.post("/api/consent", {"accepted": False}).status_code == 422
    assert kiosk.post("/api/consent", {"accepted": True}).json()["consent"]
    assert kiosk.capture().status_code == 200
    note = json.loads((kiosk.state / "kiosk-consent.json").read_text())
    assert set(note) == {"accepted_at", "skin_edge_version"}
    assert kiosk.stop() == 0
    assert start_kiosk().snapshot()["consent"], "it is kept over a restart"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"subject": "x" * 201}, 422, "body"),
        ({"subject": "a\nb"}, 422, "body"),
        ({"subject": 7}, 422, "body"),
        ({"subjct": "P"}, 422, "body"),
        ([], 422, "body"),
        ({"subject": "x" * 20_000}, 413, "body"),
    ],
)
def test_what_cannot_be_a_capture_is_refused_and_makes_no_row(
    kiosk: Any, body: object, status: int, code: str
) -> None:
    before = len(rows(kiosk.state))
    refused = kiosk.post("/api/capture", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert len(rows(kiosk.state)) == before


def test_text_of_every_script_of_the_page_may_be_typed(kiosk: Any) -> None:
    for site in ("কাঁধে র্যা\u200d", "الساعد الأيسر", "antebrazo – piel"):
        assert kiosk.capture(site=site).json()["result"]["site"] == site


def test_a_camera_gives_a_burst_and_frames_from_after_the_request(start_kiosk: Any, wait_until: Any) -> None:
    kiosk = start_kiosk("fault:none").consent()
    wait_until(lambda: kiosk.snapshot()["camera"]["state"] == "ok")
    result = kiosk.capture().json()["result"]
    assert result["burst"]["taken"] == 5
    assert result["source"] == "fault:none"
