"""The preview: what is drawn, and a real window on a virtual display where there is one."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from skin_edge import preview
from skin_edge.camera.drawing import draw
from skin_edge.errors import UsageError
from skin_edge.frame import Frame, QualityReport
from skin_edge.preview import MAX_HEIGHT_PX, MAX_WIDTH_PX, PreviewWindow, hint
from skin_edge.quality import REASON_TEXT, TOO_DARK
from skin_edge.sections import QualityThresholds
from skin_edge.triggers.base import Signal


@pytest.mark.parametrize("size", [(1080, 1920), (2000, 500), (40, 60), (1, 1)])
def test_the_picture_fits_the_window_and_is_not_modified(size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 128, np.uint8)
    before = pixels.copy()
    drawn = preview.draw(pixels, QualityReport(), 1.0)
    assert drawn.shape[0] <= MAX_HEIGHT_PX
    assert drawn.shape[1] <= MAX_WIDTH_PX
    np.testing.assert_array_equal(pixels, before)


def test_the_ring_says_whether_the_frame_will_do() -> None:
    pixels = np.full((300, 400, 3), 128, np.uint8)
    good = preview.draw(pixels, QualityReport(), 1.0)
    poor = preview.draw(pixels, QualityReport((TOO_DARK,)), 1.0)
    top_of_ring = 150 - round(300 * 0.36), 200
    assert good[top_of_ring].tolist() == [60, 200, 90]
    assert poor[top_of_ring].tolist() == [255, 170, 20]
    assert "press" in hint(QualityReport())
    assert hint(QualityReport((TOO_DARK,))) == REASON_TEXT[TOO_DARK]


def test_without_a_display_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UsageError, match="neither DISPLAY nor WAYLAND_DISPLAY is set") as caught:
        PreviewWindow(QualityThresholds(), 1.0)
    assert caught.value.code == "no-display"


def test_without_tk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(UsageError, match="apt install python3-tk"):
        PreviewWindow(QualityThresholds(), 1.0)


def test_a_display_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tkinter", reason="needs Tk: apt install python3-tk")
    monkeypatch.setenv("DISPLAY", ":987")
    with pytest.raises(UsageError, match="cannot open a window"):
        PreviewWindow(QualityThresholds(), 1.0)


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A virtual X display."""
    pytest.importorskip("tkinter", reason="needs Tk: apt install python3-tk")
    if shutil.which("Xvfb") is None:
        pytest.skip("needs a virtual display: apt install xvfb")
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "800x480x24", "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        assert select.select([reader], [], [], 20.0)[0], "Xvfb does not start"
        number = os.read(reader, 16).decode().strip()
        monkeypatch.setenv("DISPLAY", f":{number}")
        yield f":{number}"
    finally:
        os.close(reader)
        server.terminate()
        server.wait()


def test_a_window_shows_frames_and_hears_keys_and_clicks(display: str) -> None:
    frame = Frame(draw(0, 0).pixels, name="x", source="x")
    with PreviewWindow(QualityThresholds(), 1.0) as window:
        window.show(frame)
        assert window.wait(0.0) is Signal.NOTHING
        window._root.focus_force()
        for event in ("<space>", "<Return>", "<Button-1>"):
            window._root.event_generate(event)
            assert window.wait(5.0) is Signal.FIRED
            assert window.wait(0.0) is Signal.NOTHING
        window._root.event_generate("<x>")
        assert window.wait(0.05) is Signal.NOTHING
        image = window._image
        red, green, blue = image.get(image.width() // 2, image.height() // 2)
        expected = preview.draw(frame.pixels, QualityReport(), 1.0)[image.height() // 2, image.width() // 2]
        assert [red, green, blue] == expected.tolist()
        assert window._root.winfo_reqwidth() <= 800
        assert window._root.winfo_reqheight() <= 480
        window._root.event_generate("<Escape>")
        assert window.wait(None) is Signal.ENDED
        window.show(frame)  # closed: nothing happens
