"""Drawn lesions instead of a camera, so that everything behind it runs on any machine."""

from __future__ import annotations

from typing import Final

from skin_edge.camera.drawing import draw
from skin_edge.camera.source import FrameSource, Pace
from skin_edge.frame import Frame

#: Slow enough to look at; a picture takes about a tenth of this to draw on a small board.
DEMO_FPS: Final = 1.0


class DemoSource(FrameSource):
    """An endless series of drawn lesions, each named `demo:SEED#NUMBER` from 1 on.

    Args:
        text: the source as the user wrote it.
        seed: picks the series; the same pictures for the same seed.
        fps: frames a second; None for one.
    """

    def __init__(self, text: str, *, seed: int, fps: float | None) -> None:
        super().__init__(text)
        self._seed = seed
        self._number = 0
        self._pace = Pace(1.0 / (fps or DEMO_FPS), self._closed)

    def _next(self) -> Frame:
        self._pace.wait()
        drawing = draw(self._seed, self._number)
        self._number += 1
        return Frame(
            pixels=drawing.pixels,
            name=f"demo:{self._seed}#{self._number}",
            source=self.text,
            metadata={
                "synthetic": "true",
                "skin_tone": drawing.tone,
                "drawn_as": "irregular, several colours" if drawing.irregular else "round, even colour",
            },
        )
