"""Light and buzzer on gpiozero's mock pins."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from skin_edge.camera.drawing import draw
from skin_edge.errors import UsageError
from skin_edge.feedback import GpioFeedback
from skin_edge.frame import Frame
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.results.record import ResultRecord
from skin_edge.session import Session

LED, BUZZER = 5, 6


@pytest.fixture(scope="module")
def record() -> ResultRecord:
    session = Session(Classifier.load(default_bundle_path(), trusted=True))
    return session.process(Frame(draw(0, 0).pixels, name="x", source="x")).record


def changed(record: ResultRecord, **fields: Any) -> ResultRecord:
    import msgspec

    return msgspec.structs.replace(record, **fields)


def lengths(pin: Any) -> list[float]:
    """Seconds for which the pin was on, each time, whole ones only."""
    states = pin.states
    return [b.timestamp for a, b in itertools.pairwise(states) if a.state and not b.state]


def test_the_states_can_be_told_apart(pins: Any, record: ResultRecord) -> None:
    assert record.quality.ok
    with GpioFeedback(LED, BUZZER) as feedback:
        led, buzzer = pins.pin(LED), pins.pin(BUZZER)
        feedback.ready()
        assert (led.state, buzzer.state) == (1, 0)
        patterns = {}
        refused = changed(record, quality=changed(record.quality, ok=False, reasons=("too-dark",)))
        for name, tell in {
            "busy": feedback.busy,
            "benign": lambda: feedback.decided(changed(record, label="benign", refer=False)),
            "refer": lambda: feedback.decided(changed(record, label="malignant", refer=True)),
            "uncertain": lambda: feedback.decided(changed(record, label="uncertain", refer=True)),
            "refused": lambda: feedback.decided(refused),
            "unreadable": feedback.refused,
        }.items():
            led.clear_states()
            buzzer.clear_states()
            tell()
            time.sleep(1.15)
            patterns[name] = (len(lengths(led)), lengths(buzzer))
    assert patterns["busy"][0] >= 4
    assert patterns["busy"][1] == []
    beeps_s = {
        "benign": [0.1],
        "refer": [0.8],
        "uncertain": [0.8],
        "refused": [0.1] * 2,
        "unreadable": [0.1] * 2,
    }
    for name, expected in beeps_s.items():
        assert patterns[name][1] == pytest.approx(expected, abs=0.15), name
    assert patterns["benign"][0] <= 1  # what ended was the pattern before


def test_closing_turns_both_off_and_gives_the_pins_back(pins: Any) -> None:
    feedback = GpioFeedback(LED, BUZZER)
    feedback.busy()
    feedback.close()
    assert pins.pin(LED).function == pins.pin(BUZZER).function == "input"
    GpioFeedback(LED, BUZZER).close()


def test_one_of_the_two_is_enough(pins: Any, record: ResultRecord) -> None:
    for led, buzzer in ((LED, None), (None, BUZZER)):
        with GpioFeedback(led, buzzer) as feedback:
            feedback.ready()
            feedback.busy()
            feedback.decided(record)


def test_a_second_pin_that_fails_gives_the_first_one_back(pins: Any) -> None:
    with pytest.raises(UsageError, match="buzzer_pin 5: the pin cannot be used"):
        GpioFeedback(LED, LED)
    GpioFeedback(LED, None).close()
