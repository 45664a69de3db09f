"""The drawn lesions: repeatable, fit for the gate, and marked as drawn outside what the network sees."""

from __future__ import annotations

import time

import numpy as np
import pytest

from skin_edge.camera import open_source
from skin_edge.camera.drawing import HEIGHT_PX, SKIN_TONES, WIDTH_PX, draw
from skin_edge.quality import assess


def test_the_same_seed_gives_the_same_series() -> None:
    with open_source("demo:7", fps=1000) as first, open_source("demo:7", fps=1000) as second:
        for _ in range(2):
            one, other = next(first), next(second)
            assert one.name == other.name
            assert np.array_equal(one.pixels, other.pixels)
    with open_source("demo:8") as third:
        assert not np.array_equal(next(third).pixels, draw(7, 0).pixels)


def test_a_frame_says_where_it_comes_from() -> None:
    with open_source("demo", fps=1000) as source:
        frames = [next(source), next(source)]
    assert [frame.name for frame in frames] == ["demo:0#1", "demo:0#2"]
    assert frames[0].source == "demo"
    assert frames[0].metadata["synthetic"] == "true"
    assert frames[0].pixels.shape == (960, 1280, 3)


def test_all_tones_and_both_lesions_pass_the_gate() -> None:
    seen = set()
    for number in range(2 * len(SKIN_TONES)):
        drawing = draw(0, number)
        seen.add((drawing.tone, drawing.irregular))
        assert assess(drawing.pixels).reasons == ()
    assert len(seen) == 2 * len(SKIN_TONES)


def test_the_word_synthetic_is_outside_the_central_square_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from skin_edge.camera import drawing

    marked = draw(0, 0).pixels
    monkeypatch.setattr(drawing, "_label", lambda *_: None)
    bare = draw(0, 0).pixels
    margin = (WIDTH_PX - HEIGHT_PX) // 2
    changed = np.abs(marked.astype(int) - bare).max(axis=2) > 40
    assert changed[:, :margin].mean() > 0.03
    assert changed[:, -margin:].mean() > 0.03
    assert np.array_equal(marked[:, margin:-margin], bare[:, margin:-margin])


def test_drawing_is_quick() -> None:
    draw(0, 0)
    times = []
    for number in range(6):
        started = time.process_time()
        draw(0, number)
        times.append(time.process_time() - started)
    assert min(times) < 0.1
