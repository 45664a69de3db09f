"""Opening a source from its text, and what every source promises."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from skin_edge.camera import FrameSource, open_source
from skin_edge.camera.source import _KINDS, Pace
from skin_edge.errors import CameraError, ImageError, UsageError
from skin_edge.frame import Frame


@pytest.mark.parametrize(
    "text", ["", "webcam", "webcam:0", "Demo", "replay", "replay:", "demo:x", "demo:-1", "demo:²"]
)
def test_a_malformed_source_is_a_usage_error_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"demo:7|replay:photo\.jpg") as caught:
        open_source(text)
    assert caught.value.exit_code == 2
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf"), 1001.0])
def test_a_rate_that_makes_no_sense_is_a_usage_error(fps: float) -> None:
    with pytest.raises(UsageError, match="fps"):
        open_source("demo", fps=fps)


class Three(FrameSource):
    """Gives a frame, a bad picture, a frame, and the end."""

    def __init__(self) -> None:
        super().__init__("three")
        self.closings = 0
        with open_source("demo") as demo:
            frame = demo.read()
        assert frame is not None
        self._plan: list[Frame | ImageError | None] = [frame, ImageError("bad"), frame, None]

    def _next(self) -> Frame | None:
        step = self._plan.pop(0)
        if isinstance(step, ImageError):
            raise step
        return step

    def _close(self) -> None:
        self.closings += 1


def test_iteration_goes_on_after_a_bad_picture() -> None:
    source = iter(Three())
    next(source)
    with pytest.raises(ImageError):
        next(source)
    next(source)
    with pytest.raises(StopIteration):
        next(source)


def test_close_is_idempotent_and_ends_reading() -> None:
    with Three() as source:
        source.close()
    source.close()
    assert source.closings == 1
    with pytest.raises(CameraError, match="closed"):
        source.read()


def test_a_kind_is_added_by_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def factory(text: str, rest: str, *, fps: float | None, loop: bool) -> FrameSource:
        seen.append((text, rest, fps, loop))
        return Three()

    monkeypatch.setitem(_KINDS, "three", factory)
    open_source("three:a:b", fps=2.0, loop=True).close()
    assert seen == [("three:a:b", "a:b", 2.0, True)]


def test_the_pace_waits_but_never_hurries_after_a_delay() -> None:
    pace = Pace(0.05, threading.Event())
    started = time.monotonic()
    for _ in range(4):
        pace.wait()
    assert 0.14 <= time.monotonic() - started < 2.0
    time.sleep(0.2)
    started = time.monotonic()
    for _ in range(3):
        pace.wait()
    assert time.monotonic() - started >= 0.09


def test_closing_from_another_thread_ends_a_wait(tmp_path: Path) -> None:
    source = open_source("demo", fps=0.01)
    source.read()
    threading.Timer(0.1, source.close).start()
    started = time.monotonic()
    source.read()
    assert time.monotonic() - started < 5
    with pytest.raises(CameraError):
        source.read()
