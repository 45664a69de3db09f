"""The capture loop as a library: order, freshness, refusals counted, and who is told what and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from skin_edge.camera.drawing import draw
from skin_edge.camera.source import FrameSource, open_source
from skin_edge.capture import CaptureLoop, Listeners
from skin_edge.errors import CameraError, ImageError, StorageError
from skin_edge.feedback import Feedback
from skin_edge.frame import Frame
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.quality import OUT_OF_FOCUS, TOO_DARK
from skin_edge.results.images import ImageStore
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import ResultRecord
from skin_edge.session import Outcome, Session
from skin_edge.triggers.base import Signal, Trigger
from skin_edge.triggers.interval import IntervalTrigger

GOOD = draw(0, 0).pixels
SOFT = np.asarray(cv2.GaussianBlur(GOOD, (0, 0), 14.0), np.uint8)
DARK = np.asarray(GOOD // 12, np.uint8)


class Scripted(FrameSource):
    """Gives what it was given: pictures, errors, and at the end None."""

    def __init__(self, *steps: np.ndarray[Any, Any] | Exception, live: bool = False) -> None:
        super().__init__("scripted")
        self.live = live
        self._steps = list(steps)
        self.given = 0

    def _next(self) -> Frame | None:
        if self.given == len(self._steps):
            return None
        step = self._steps[self.given]
        self.given += 1
        if isinstance(step, Exception):
            raise step
        return Frame(step, name=f"#{self.given}", source=self.text)


class Camera(FrameSource):
    """An endless camera of a hundred frames a second that queues up to `queued` old frames."""

    live = True

    def __init__(self, queued: int = 0) -> None:
        super().__init__("camera")
        self._queue = [time.monotonic()] * queued
        self.reads = 0

    def _next(self) -> Frame:
        self.reads += 1
        taken = self._queue.pop() if self._queue else None
        if taken is None:
            time.sleep(0.01)
            taken = time.monotonic()
        return Frame(GOOD, name=f"#{self.reads}", source=self.text, monotonic_s=taken)


class Presses(Trigger):
    """Fires after so many turns of waiting each, then ends."""

    def __init__(self, *turns: int, before: Callable[[], None] = lambda: None) -> None:
        self._turns = list(turns)
        self._before = before

    def wait(self, timeout_s: float | None) -> Signal:
        if not self._turns:
            return Signal.ENDED
        if self._turns[0] == 0:
            self._turns.pop(0)
            self._before()
            return Signal.FIRED
        self._turns[0] -= 1
        return Signal.NOTHING


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(default_bundle_path(), trusted=True)


@pytest.fixture
def session(classifier: Classifier, tmp_path: Path) -> Iterator[Session]:
    with ResultsLog(tmp_path) as log:
        yield Session(classifier, keeping=Keeping(log))


def rows(folder: Path) -> list[ResultRecord]:
    with ResultsLog(folder) as log:
        return list(log.iter_all())


def test_a_decision_is_told_after_its_row_is_in_the_log(session: Session, tmp_path: Path) -> None:
    told: list[str] = []

    def check(outcome: Outcome) -> None:
        told.append(str(outcome.record.result_id))
        assert [row.result_id for row in rows(tmp_path)] == told

    loop = CaptureLoop(
        Scripted(GOOD, GOOD, GOOD),
        session,
        trigger=IntervalTrigger(0.0),
        subject="P-1",
        site="back",
        listeners=Listeners(on_decision=check),
    )
    assert loop.run().decisions == 3
    assert {(row.subject, row.site) for row in rows(tmp_path)} == {("P-1", "back")}


def test_every_picture_of_a_replay_gets_its_own_decision_whatever_the_trigger(session: Session) -> None:
    source = Scripted(GOOD, GOOD, GOOD)
    loop = CaptureLoop(source, session, trigger=Presses(0, 0))
    assert loop.run().decisions == 2
    assert source.given == 2, "the third picture still waits"


def test_once_is_one_decision(session: Session) -> None:
    assert CaptureLoop(Camera(), session, trigger=IntervalTrigger(0.0)).run(once=True).decisions == 1


def test_a_burst_is_one_decision_and_the_last_may_be_short(session: Session) -> None:
    told: list[Outcome] = []
    loop = CaptureLoop(
        Scripted(GOOD, SOFT, GOOD, GOOD, GOOD),
        session,
        trigger=IntervalTrigger(0.0),
        burst=3,
        listeners=Listeners(on_decision=told.append),
    )
    loop.run()
    bursts = [outcome.record.burst for outcome in told]
    assert [(b.taken, b.refused, b.used) for b in bursts if b] == [(3, 1, 2), (2, 0, 2)]


def test_refusals_and_unreadable_frames_are_counted_by_reason(session: Session) -> None:
    told: list[ImageError] = []
    loop = CaptureLoop(
        Scripted(GOOD, SOFT, ImageError("torn", code="image-truncated"), DARK, SOFT),
        session,
        trigger=IntervalTrigger(0.0),
        listeners=Listeners(on_image_error=told.append),
    )
    tally = loop.run()
    assert (tally.decisions, tally.failed) == (4, 1)
    assert tally.refusals == {OUT_OF_FOCUS: 2, TOO_DARK: 1}
    assert tally.summary() == (
        "4 decisions; refused: out-of-focus 2, too-dark 1; unreadable frames: image-truncated 1"
    )
    assert [error.image for error in told] == ["scripted"]


def test_nothing_is_said_where_nothing_was_refused(session: Session) -> None:
    assert CaptureLoop(Scripted(GOOD), session, trigger=IntervalTrigger(0.0)).run().summary() is None


def test_a_torn_frame_does_not_spoil_its_burst_but_is_counted(session: Session) -> None:
    torn = ImageError("torn", code="image-truncated")
    told: list[Outcome] = []
    loop = CaptureLoop(
        Scripted(GOOD, torn, GOOD, torn, torn, torn),
        session,
        trigger=IntervalTrigger(0.0),
        burst=3,
        listeners=Listeners(on_decision=told.append),
    )
    tally = loop.run()
    assert [outcome.record.burst.taken for outcome in told if outcome.record.burst] == [2]
    assert (tally.decisions, tally.failed, tally.unreadable["image-truncated"]) == (1, 1, 4)


def test_a_camera_is_read_while_it_waits_and_each_good_frame_is_a_heartbeat(session: Session) -> None:
    camera, beats = Camera(), []
    loop = CaptureLoop(
        camera, session, trigger=Presses(7), listeners=Listeners(heartbeat=lambda: beats.append(camera.reads))
    )
    loop.run()
    assert beats == [1, 2, 3, 4, 5, 6, 7, 8], "seven while waiting, and the decision"


def test_a_hung_camera_gives_no_heartbeat(session: Session) -> None:
    beats: list[int] = []
    loop = CaptureLoop(
        Scripted(GOOD, CameraError("lost", code="camera-lost"), live=True),
        session,
        trigger=Presses(5),
        listeners=Listeners(heartbeat=lambda: beats.append(1)),
    )
    with pytest.raises(CameraError, match="lost"):
        loop.run()
    assert len(beats) == 1


def test_frames_from_before_the_trigger_do_not_count(session: Session) -> None:
    camera, pressed, told = Camera(queued=6), [], []
    loop = CaptureLoop(
        camera,
        session,
        trigger=Presses(0, before=lambda: pressed.append(time.monotonic())),
        burst=2,
        listeners=Listeners(on_decision=told.append),
    )
    loop.run()
    assert camera.reads == 8
    assert told[0].frame.monotonic_s >= pressed[0]


def test_a_row_that_cannot_be_written_ends_it_untold(classifier: Classifier, tmp_path: Path) -> None:
    told: list[Outcome] = []
    with ResultsLog(tmp_path) as log:
        loop = CaptureLoop(
            Scripted(GOOD, GOOD),
            Session(classifier, keeping=Keeping(log, ImageStore(tmp_path))),
            trigger=IntervalTrigger(0.0),
            listeners=Listeners(on_decision=told.append),
        )
        log.close()
        with pytest.raises(StorageError):
            loop.run()
    assert told == []
    assert not list(tmp_path.rglob("*.png")), "no picture is left that no row knows"


class Told(Feedback):
    def __init__(self) -> None:
        self.states: list[str] = []

    def ready(self) -> None:
        self.states.append("ready")

    def busy(self) -> None:
        self.states.append("busy")

    def decided(self, record: ResultRecord) -> None:
        self.states.append(record.label)

    def refused(self) -> None:
        self.states.append("refused")


def test_feedback_follows_the_capture(session: Session) -> None:
    feedback = Told()
    source = Scripted(GOOD, ImageError("torn", code="image-truncated"), SOFT)
    CaptureLoop(source, session, trigger=Presses(0, 0, 0), feedback=feedback).run()
    first = feedback.states[2]
    assert feedback.states == ["ready", "busy", first, "busy", "refused", "busy", "uncertain"]


def test_a_preview_sees_every_frame_and_every_answer(session: Session) -> None:
    class Window:
        shown: list[str] = []  # noqa: RUF012
        told: list[str] = []  # noqa: RUF012

        def show(self, frame: Frame) -> None:
            self.shown.append(frame.name)

        def tell(self, record: ResultRecord) -> None:
            self.told.append(record.image)

    window = Window()
    CaptureLoop(Camera(), session, trigger=Presses(3), preview=window).run()
    assert window.shown == ["#1", "#2", "#3", "#4"]
    assert window.told == ["#4"]


def test_the_loop_takes_any_source(session: Session) -> None:
    with open_source("demo", fps=1000) as source:
        loop = CaptureLoop(source, session, trigger=Presses(0, 0, 0))
        assert loop.run().decisions == 3
