"""The live streams: the newest picture for everybody, no queue for whoever is slow, no trace of who went."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

BOUNDARY = b"--skin-edge-frame"


def connect(kiosk: Any, path: str) -> socket.socket:
    connection = socket.create_connection((kiosk.http.base_url.host, kiosk.http.base_url.port), timeout=20)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def frames(connection: socket.socket, seconds: float) -> list[float]:
    """Read for so long; return when pictures came."""
    times, until, pending = [], time.monotonic() + seconds, b""
    while time.monotonic() < until:
        content = connection.recv(65_536)
        if not content:
            break
        pending += content
        times += [time.monotonic()] * pending.count(b"\xff\xd9\r\n" + BOUNDARY)
        pending = pending[-len(BOUNDARY) - 3 :] if b"\xff\xd9\r\n" + BOUNDARY in pending else pending[-70:]
    return times


def test_pictures_are_whole_and_at_most_as_many_as_wanted(start_kiosk: Any) -> None:
    kiosk = start_kiosk("fault:none,size=640x480", config={"kiosk": {"preview_fps": 5.0}})
    with kiosk.http.stream("GET", "/preview.mjpg") as stream:
        assert stream.headers["content-type"] == "multipart/x-mixed-replace; boundary=skin-edge-frame"
        content, until = b"", time.monotonic() + 3.0
        for chunk in stream.iter_raw():
            content += chunk
            if time.monotonic() > until:
                break
    parts = content.split(BOUNDARY + b"\r\n")
    assert parts[0] == b""
    whole = parts[1:-1]
    assert 8 <= len(whole) <= 17
    for part in whole:
        head, _, jpeg = part.partition(b"\r\n\r\n")
        length = int(dict(line.split(b": ") for line in head.split(b"\r\n"))[b"Content-Length"])
        assert jpeg == jpeg[:length] + b"\r\n"
        assert cv2.imdecode(np.frombuffer(jpeg[:length], np.uint8), cv2.IMREAD_COLOR).shape == (240, 320, 3)


def test_a_slow_client_misses_pictures_and_slows_nobody(start_kiosk: Any, wait_until: Any) -> None:
    settings = {"kiosk": {"preview_fps": 30.0}, "camera": {"preview_width": 1280}}
    kiosk = start_kiosk("fault:none,size=1280x720,fps=30", config=settings)
    with contextlib.closing(connect(kiosk, "/preview.mjpg")) as slow:
        slow.recv(1000)
        with contextlib.closing(connect(kiosk, "/preview.mjpg")) as quick:
            frames(quick, 1.0)
            wait_until(lambda: stuck(kiosk, quick), 60.0)
            times = frames(quick, 3.0)
            assert len(times) >= 15
            assert max(np.diff(times)) < 1.0
        # It comes back: what it gets, after what its socket holds, is the newest, not all that was missed.
        before = kiosk.metric("skin_edge_preview_frames_dropped_total")
        frames(slow, 2.0)
        assert kiosk.metric("skin_edge_preview_frames_dropped_total") > before + 5


def stuck(kiosk: Any, quick: socket.socket) -> bool:
    """True where only one of two clients still gets pictures."""
    before = kiosk.metric("skin_edge_preview_frames_total")
    came = len(frames(quick, 1.0))
    return kiosk.metric("skin_edge_preview_frames_total") - before <= came + 3


def test_who_goes_is_forgotten_and_nothing_is_encoded_for_nobody(start_kiosk: Any, wait_until: Any) -> None:
    kiosk = start_kiosk("fault:none")
    wait_until(lambda: kiosk.get("/healthz").status_code == 200)
    kiosk.metric("process_open_fds")
    before = kiosk.metric("process_open_fds")
    connections = [connect(kiosk, path) for path in ("/preview.mjpg", "/api/events") for _ in range(10)]
    for connection in connections:
        connection.recv(100)
    assert kiosk.metric("skin_edge_preview_clients") == 10
    for connection in connections:
        connection.close()
    wait_until(lambda: kiosk.metric("skin_edge_preview_clients") == 0)
    wait_until(lambda: kiosk.metric("process_open_fds") <= before)
    time.sleep(0.5)
    sent = kiosk.metric("skin_edge_preview_frames_total")
    time.sleep(1.0)
    assert kiosk.metric("skin_edge_preview_frames_total") == sent


def test_there_is_a_bound_and_place_again_when_somebody_goes(start_kiosk: Any, wait_until: Any) -> None:
    kiosk = start_kiosk("demo", config={"kiosk": {"max_clients": 2}})
    watchers = [connect(kiosk, "/preview.mjpg") for _ in range(2)]
    for watcher in watchers:
        assert b"200 OK" in watcher.recv(100)
    refused = kiosk.get("/preview.mjpg")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "clients")
    assert kiosk.get("/healthz").status_code in (200, 503)
    watchers.pop().close()

    def served() -> bool:
        with kiosk.http.stream("GET", "/preview.mjpg") as stream:
            return bool(stream.status_code == 200)

    wait_until(served)
    watchers.pop().close()


def test_drawn_pictures_are_shown_and_the_shown_one_is_captured(start_kiosk: Any) -> None:
    kiosk = start_kiosk("demo", config={"kiosk": {"probe_s": 60.0}}).consent()
    with kiosk.http.stream("GET", "/preview.mjpg") as stream:
        first = next(stream.iter_raw(chunk_size=1000))
    assert b"image/jpeg" in first
    assert kiosk.capture().json()["result"]["image"] == "demo:0#1"
    assert kiosk.capture().json()["result"]["image"] == "demo:0#2", "one picture gives one result"


def test_events_come_at_once_on_change_and_every_few_seconds_without(start_kiosk: Any) -> None:
    kiosk = start_kiosk("demo", config={"kiosk": {"probe_s": 60.0}})
    kiosk.get("/")
    with kiosk.http.stream("GET", "/api/events") as stream:
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        lines = stream.iter_lines()
        first = next_state(lines)
        assert set(first) == {
            "camera", "machine", "disk", "model", "clock", "busy", "consent", "locked", "hints", "focus",
            "light", "last_frame_age_s", "pin_set",
        }  # fmt: skip
        assert not first["consent"]
        kiosk.consent()
        begun = time.monotonic()
        while not next_state(lines)["consent"]:
            assert time.monotonic() - begun < 1.0
        kiosk.post("/api/unlock", {"pin": "2468", "repeat": "2468"})
        while next_state(lines)["locked"]:
            assert time.monotonic() - begun < 2.0
        kiosk.post("/api/lock")
        while not next_state(lines)["locked"]:
            assert time.monotonic() - begun < 3.0
        begun, count = time.monotonic(), 0
        while count < 2:
            next_state(lines)
            count += 1
        assert time.monotonic() - begun < 12


def next_state(lines: Iterator[str]) -> dict[str, Any]:
    for line in lines:
        if line.startswith("data: "):
            found: dict[str, Any] = json.loads(line[6:])
            return found
    raise AssertionError("the stream has ended")
