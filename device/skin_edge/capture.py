"""The capture loop: trigger -> burst -> session -> durable row -> whoever wants to know.

One thread does all of it, in this order, so that nothing is told before its row is durable and a frame is
never older than the trigger that asked for it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from skin_edge.camera.source import FrameSource
from skin_edge.camera.taking import take_burst
from skin_edge.errors import ImageError
from skin_edge.feedback import Feedback
from skin_edge.frame import Frame
from skin_edge.results.record import ResultRecord
from skin_edge.session import Outcome, Session
from skin_edge.triggers.base import Signal, Trigger

#: How often a camera is read while nothing is asked for: often enough to see that it hangs, seldom enough
#: to leave a small board idle.
IDLE_PERIOD_S: Final = 0.25

#: The same with a window to fill.
PREVIEW_PERIOD_S: Final = 0.04

#: Frames of a burst from a camera, which gives many of one lesion.
CAMERA_BURST: Final = 5


class Preview(Protocol):
    """Where frames and answers are shown while the loop runs."""

    def show(self, frame: Frame) -> None:
        """Show what the camera sees now."""

    def tell(self, record: ResultRecord) -> None:
        """Show what was decided."""


@dataclass(slots=True)
class Tally:
    """What a run of the loop came to.

    Attributes:
        decisions: rows that are durable.
        refusals: decisions by reason of the quality gate; a picture may have several.
        unreadable: frames that could not be used at all, by error code.
        failed: captures that gave no decision because none of their frames could be used.
    """

    decisions: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    failed: int = 0

    def summary(self) -> str | None:
        """Return one line that names everything that was refused; None where nothing was."""
        if not self.refusals and not self.unreadable:
            return None
        parts = [f"{self.decisions} decisions"]
        for what, counts in (("refused", self.refusals), ("unreadable frames", self.unreadable)):
            if counts:
                parts.append(f"{what}: " + ", ".join(f"{why} {n}" for why, n in counts.most_common()))
        return "; ".join(parts)


def _ignore(_: object) -> None:
    """What happens where nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what; a call that raises ends the loop.

    Attributes:
        on_decision: called with each outcome once its row is durable.
        on_image_error: called where a capture gave no usable frame; the loop goes on.
        heartbeat: called after each frame that was read while waiting and after each decision, never by a
            timer: a watchdog that it feeds sees a hung camera.
    """

    on_decision: Callable[[Outcome], None] = _ignore
    on_image_error: Callable[[ImageError], None] = _ignore
    heartbeat: Callable[[], None] = lambda: None


class CaptureLoop:
    """Runs captures until the source or the trigger ends.

    While it waits for a trigger it reads a camera now and then, so that a hang is noticed and the window
    moves, and what a camera took before the trigger does not count for the capture. A replayed source is only
    read for captures: each of its pictures gets a decision.

    Args:
        source: where frames come from; not closed here.
        session: what decides and logs.
        trigger: what asks for a capture; not closed here.
        burst: frames for one decision.
        subject: pseudonym of the person, never a name.
        site: where on the body.
        listeners: who is told.
        feedback: light and buzzer.
        preview: a window.

    Attributes:
        tally: what has happened so far.
    """

    def __init__(
        self,
        source: FrameSource,
        session: Session,
        *,
        trigger: Trigger,
        burst: int = 1,
        subject: str | None = None,
        site: str | None = None,
        listeners: Listeners | None = None,
        feedback: Feedback | None = None,
        preview: Preview | None = None,
    ) -> None:
        self._source = source
        self._session = session
        self._trigger = trigger
        self._burst = burst
        self._subject = subject
        self._site = site
        self._listeners = listeners or Listeners()
        self._feedback = feedback or Feedback()
        self._preview = preview
        self.tally = Tally()

    def run(self, *, once: bool = False) -> Tally:
        """Capture until the source or the trigger ends, or once; return what it came to.

        Raises:
            CameraError: the source is broken for good.
            ModelError: the network failed.
            StorageError: a row could not be made durable.
        """
        self._feedback.ready()
        while self._wait() and self._capture() and not once:
            pass
        return self.tally

    def _wait(self) -> bool:
        """Wait for the trigger; False where there will be no more."""
        if not self._source.live:
            return self._trigger.wait(None) is Signal.FIRED
        period_s, due_s = (IDLE_PERIOD_S if self._preview is None else PREVIEW_PERIOD_S), 0.0
        while (signal := self._trigger.wait(period_s)) is Signal.NOTHING:
            if time.monotonic() < due_s and self._show_small():
                continue
            due_s = time.monotonic() + IDLE_PERIOD_S
            try:
                frame = self._read()
            except ImageError:
                continue
            if frame is None:
                return False
            self._listeners.heartbeat()
        return signal is Signal.FIRED

    def _show_small(self) -> bool:
        """Show the small picture of a camera that has one: it costs no frame."""
        small = None if self._preview is None else self._source.preview()
        if small is None or self._preview is None:
            return False
        self._preview.show(Frame(small, name=self._source.text, source=self._source.text))
        return True

    def _capture(self) -> bool:
        """Make one decision; False where the source has no frame left."""
        self._feedback.busy()
        try:
            frames = self._take()
            if not frames:
                return False
            outcome = self._session.process_burst(frames, subject=self._subject, site=self._site)
        except ImageError as error:
            error.image = error.image or self._source.text
            self.tally.failed += 1
            self._feedback.refused()
            self._listeners.on_image_error(error)
        else:
            self._tell(outcome)
        return True

    def _take(self) -> list[Frame]:
        since_s = time.monotonic() if self._source.live else None
        return take_burst(self._read, self._burst, since_s=since_s)

    def _read(self) -> Frame | None:
        try:
            frame = self._source.read()
        except ImageError as error:
            self.tally.unreadable[error.code] += 1
            raise
        if frame is not None and self._preview is not None:
            self._preview.show(frame)
        return frame

    def _tell(self, outcome: Outcome) -> None:
        self.tally.decisions += 1
        self.tally.refusals.update(outcome.record.quality.reasons)
        self._feedback.decided(outcome.record)
        if self._preview is not None:
            self._preview.tell(outcome.record)
        self._listeners.on_decision(outcome)
        self._listeners.heartbeat()
