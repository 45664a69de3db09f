"""A source that gives a frame, one that gives a poor one, one that fails, and one that hangs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from skin_edge.camera.drawing import draw
from skin_edge.config import SYSTEM_CONFIG, Config
from skin_edge.health.checks import camera as checking
from skin_edge.health.checks.camera import check_camera
from skin_edge.health.checks.check import Context
from skin_edge.sections import CameraConfig, CaptureConfig
from skin_edge.service.endpoint import Health

MakeContext = Callable[..., Context]


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number in range(3):
        write(folder / f"{number}.png", draw(0, number).pixels[::3, ::3, ::-1])
    return folder


def test_demo_gives_a_frame(make_context: MakeContext) -> None:
    finding = check_camera(make_context(source="demo"))
    assert (finding.status, finding.data["width"], finding.data["height"]) == ("ok", 1280, 960)
    assert finding.message.startswith("demo: 1280 x 960 after ")


def test_a_replayed_folder_gives_a_frame(make_context: MakeContext, photos: Path) -> None:
    assert check_camera(make_context(source=f"replay:{photos}")).status == "ok"


def test_a_black_frame_is_a_warning(make_context: MakeContext, tmp_path: Path) -> None:
    black = write(tmp_path / "black.png", np.zeros((400, 400, 3), np.uint8))
    finding = check_camera(make_context(source=f"replay:{black}"))
    assert (finding.status, "black" in finding.message) == ("warn", True)


def test_a_frame_that_the_gate_would_refuse_for_its_size_is_a_warning(
    make_context: MakeContext, tmp_path: Path
) -> None:
    small = write(tmp_path / "small.png", np.full((64, 80, 3), 128, np.uint8))
    finding = check_camera(make_context(source=f"replay:{small}"))
    assert (finding.status, "100 px" in finding.message) == ("warn", True)


def test_a_picture_that_cannot_be_read_is_a_warning_where_the_next_can(
    make_context: MakeContext, photos: Path
) -> None:
    (photos / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n but no picture")
    finding = check_camera(make_context(source=f"replay:{photos}"))
    assert (finding.status, finding.data["unusable"]) == ("warn", 1)


@pytest.mark.parametrize("source", ["replay:/no/such/folder", "nonsense:1", "replay:", "demo:x"])
def test_a_source_that_cannot_be_opened_fails(make_context: MakeContext, source: str) -> None:
    finding = check_camera(make_context(source=source))
    assert finding.status == "fail"
    assert finding.data["code"] in ("camera-source", "usage")


def test_pictures_none_of_which_can_be_read_fail(make_context: MakeContext, photos: Path) -> None:
    for path in photos.iterdir():
        path.write_bytes(b"nothing")
    assert check_camera(make_context(source=f"replay:{photos}")).status == "fail"


def hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Let the child's OpenCV, which opens every source, do what a driver does."""
    (tmp_path / "cv2.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def test_a_camera_that_hangs_is_killed_with_all_that_it_started(
    make_context: MakeContext, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang(
        tmp_path,
        monkeypatch,
        "import signal, subprocess, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.run([sys.executable, '-c', 'import time; time.sleep(77.25)'])\n",
    )
    settings = Config(camera=CameraConfig(open_timeout_s=1.0, read_timeout_s=0.5))
    monkeypatch.setattr("skin_edge.health.checks.camera._START_S", 2.0)
    started = time.monotonic()
    finding = check_camera(make_context(source=f"replay:{photos}", settings=settings))
    assert time.monotonic() - started < 25
    assert (finding.status, finding.data["code"]) == ("fail", "camera-timeout")
    assert "no frame within 3.5 s" in finding.message
    time.sleep(0.2)
    assert [
        p.pid
        for p in psutil.process_iter(["cmdline"])
        if "time.sleep(77.25)" in " ".join(p.info["cmdline"] or ())
    ] == []


def test_a_driver_that_crashes_is_told(
    make_context: MakeContext, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang(tmp_path, monkeypatch, "import os; os.abort()\n")
    finding = check_camera(make_context(source=f"replay:{photos}"))
    assert (finding.status, finding.data["code"]) == ("fail", "camera-crashed")
    assert "signal 6" in finding.message


def test_a_camera_that_hangs_is_named_with_the_settings_time_out(make_context: MakeContext) -> None:
    settings = Config(camera=CameraConfig(open_timeout_s=10.0, read_timeout_s=0.5))
    finding = check_camera(make_context(source="fault:hang-read,after=0", settings=settings))
    assert (finding.status, finding.data["code"]) == ("fail", "camera-hang")
    assert "more than 0.5 s" in finding.message


@pytest.mark.parametrize(
    ("http", "config", "asked_for", "status"),
    [
        (200, SYSTEM_CONFIG, None, "ok"),
        (200, None, None, "ok"),
        (503, SYSTEM_CONFIG, None, "fail"),
        (200, Path("/home/pi/own.yaml"), None, "fail"),
        (200, SYSTEM_CONFIG, "replay:/nowhere/else", "fail"),
    ],
)
def test_a_camera_that_the_service_has_is_in_order_where_the_service_gets_frames(
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    http: int,
    config: Path | None,
    asked_for: str | None,
    status: str,
) -> None:
    settings = Config(capture=CaptureConfig(source="replay:/nowhere"))
    monkeypatch.setattr(checking.unit, "systemd_runs", lambda root: True)
    monkeypatch.setattr(checking.unit, "show", lambda name: {"ActiveState": "active"})
    monkeypatch.setattr(checking, "ask", lambda url: Health(http, "a frame was classified", {"a": 1}))
    context = make_context(settings=settings, config_path=config, source=asked_for or "replay:/nowhere")
    finding = check_camera(context)
    assert finding.status == status, finding
    if status == "ok":
        assert "skin-edge.service has it" in finding.message
