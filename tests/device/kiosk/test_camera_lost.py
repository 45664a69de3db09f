"""A camera that is lost does not end the kiosk: it is told, waited for, and opened again for ever."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from typing import Any


def count(kiosk: Any) -> int:
    with sqlite3.connect(kiosk.state / "results.sqlite3") as log:
        return int(log.execute("SELECT count(*) FROM results").fetchone()[0])


def test_lost_is_told_with_its_cause_and_back_is_noticed(start_kiosk: Any, wait_until: Any) -> None:
    kiosk = start_kiosk("fault:unplug,after=20,for=2", config={"kiosk": {"probe_s": 0.2}}).consent()
    lost = wait_until(lambda: (s := kiosk.snapshot())["camera"]["state"] == "lost" and s)
    assert "unplugged" in lost["camera"]["cause"]
    assert lost["hints"] == []
    refused = kiosk.capture()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "camera-lost")
    assert count(kiosk) == 0
    back = wait_until(lambda: (s := kiosk.snapshot())["camera"]["state"] == "ok" and s)
    assert back["camera"]["cause"] is None
    assert kiosk.capture().status_code == 200
    assert kiosk.metric("skin_edge_camera_restarts") >= 1


def test_a_capture_that_waits_for_a_hanging_camera_is_told_and_leaves_no_row(
    start_kiosk: Any, wait_until: Any
) -> None:
    settings = {"camera": {"read_timeout_s": 1.0}, "kiosk": {"probe_s": 60.0}}
    kiosk = start_kiosk("fault:hang-read,after=2,times=0", config=settings).consent()
    wait_until(lambda: kiosk.snapshot()["camera"]["state"] == "ok")
    begun = time.monotonic()
    refused = kiosk.capture()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "camera-lost")
    assert time.monotonic() - begun < 5
    assert count(kiosk) == 0
    wait_until(lambda: kiosk.snapshot()["camera"]["state"] == "ok")
    assert count(kiosk) == 0, "the capture that was given up came back as a row"


def test_a_capture_has_a_time_limit_of_its_own(start_kiosk: Any, wait_until: Any) -> None:
    settings = {"camera": {"read_timeout_s": 60.0}, "kiosk": {"capture_timeout_s": 1.0}}
    kiosk = start_kiosk("fault:slow,after=3,times=0,for=3", config=settings).consent()
    wait_until(lambda: kiosk.snapshot()["camera"]["state"] == "ok")
    refused = kiosk.capture()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "camera-timeout")
    assert not kiosk.snapshot()["busy"]
    time.sleep(4)
    assert count(kiosk) == 0


def test_a_camera_that_is_not_there_at_the_start_is_waited_for(
    start_kiosk: Any, wait_until: Any, tmp_path: Any
) -> None:
    folder = tmp_path / "pictures"
    kiosk = start_kiosk(f"replay:{folder}").consent()
    lost = wait_until(lambda: (s := kiosk.snapshot())["camera"]["state"] == "lost" and s)
    assert str(folder) in lost["camera"]["cause"]
    assert kiosk.get("/healthz").status_code == 503
    import cv2

    from skin_edge.camera.drawing import draw

    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), draw(0, 0).pixels[:, :, ::-1])
    wait_until(lambda: kiosk.get("/healthz").status_code == 200)
    assert kiosk.capture().status_code == 200


def test_when_the_supervisor_gives_up_a_new_one_is_started(start_kiosk: Any, wait_until: Any) -> None:
    settings = {"camera": {"restarts": 0}, "kiosk": {"probe_s": 0.1}}
    kiosk = start_kiosk("fault:error,after=10,times=0", config=settings)
    states = []

    def seen_twice() -> bool:
        state = kiosk.snapshot()["camera"]["state"]
        if not states or states[-1] != state:
            states.append(state)
        return states.count("lost") >= 2 and state == "ok"

    wait_until(seen_twice, 30.0, 0.02)
    assert kiosk.process.poll() is None


def test_an_unreadable_picture_among_others_is_passed_over(
    start_kiosk: Any, wait_until: Any, tmp_path: Any
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    import cv2

    from skin_edge.camera.drawing import draw

    cv2.imwrite(str(folder / "2.png"), draw(0, 0).pixels[:, :, ::-1])
    kiosk = start_kiosk(f"replay:{folder}", config={"kiosk": {"probe_s": 0.2}}).consent()
    wait_until(lambda: kiosk.get("/healthz").status_code == 200)
    answers = [kiosk.capture() for _ in range(3)]
    assert 200 in [a.status_code for a in answers]
    assert {a.status_code for a in answers} <= {200, 422}


def test_events_tell_of_it_at_once(start_kiosk: Any, wait_until: Any) -> None:
    kiosk = start_kiosk("fault:unplug,after=20,for=2", config={"kiosk": {"probe_s": 0.2}})
    states: list[str] = []

    def listen() -> None:
        with kiosk.browser() as browser, browser.stream("GET", "/api/events") as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    state = json.loads(line[6:])["camera"]["state"]
                    if not states or states[-1] != state:
                        states.append(state)
                if states[-2:] == ["lost", "ok"]:
                    return

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join(20)
    assert states[-3:] == ["ok", "lost", "ok"]
