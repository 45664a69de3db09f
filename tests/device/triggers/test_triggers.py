"""What starts a capture: lines, intervals, buttons, and several at once."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from skin_edge.errors import UsageError
from skin_edge.triggers.base import AnyOf, Signal, Trigger
from skin_edge.triggers.enter import EnterTrigger
from skin_edge.triggers.gpio import DEBOUNCE_S, GpioTrigger
from skin_edge.triggers.interval import IntervalTrigger
from skin_edge.triggers.open import open_trigger


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        try:
            os.close(end)
        except OSError:
            continue


def test_each_line_fires_once_and_the_end_of_input_ends(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    trigger = EnterTrigger(reader)
    assert trigger.wait(0.0) is Signal.NOTHING
    os.write(writer, b"\nhello\nhalf")
    assert [trigger.wait(0.0) for _ in range(3)] == [Signal.FIRED, Signal.FIRED, Signal.NOTHING]
    os.write(writer, b" a line\n")
    assert trigger.wait(None) is Signal.FIRED
    os.close(writer)
    assert [trigger.wait(None) for _ in range(2)] == [Signal.ENDED] * 2


def test_enter_on_a_real_terminal_and_ctrl_d_ends() -> None:
    master, slave = pty.openpty()
    trigger = EnterTrigger(slave)
    os.write(master, b"abc")
    assert trigger.wait(0.05) is Signal.NOTHING, "a line is not whole before Enter"
    os.write(master, b"\r")
    assert trigger.wait(5.0) is Signal.FIRED
    os.write(master, b"\x04")
    assert trigger.wait(5.0) is Signal.ENDED
    os.close(slave)
    os.close(master)


def test_a_terminal_that_goes_away_ends() -> None:
    master, slave = pty.openpty()
    trigger = EnterTrigger(slave)
    os.close(master)
    assert trigger.wait(5.0) is Signal.ENDED
    os.close(slave)


def test_a_closed_standard_input_is_said() -> None:
    code = "from skin_edge.triggers.enter import EnterTrigger; EnterTrigger()"
    told = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" <&-', sys.executable, code], capture_output=True, text=True
    )
    assert "UsageError: --trigger enter reads lines from standard input, which is closed" in told.stderr


def test_the_interval_counts_from_start_to_start() -> None:
    trigger = IntervalTrigger(0.2)
    started = time.monotonic()
    assert trigger.wait(None) is Signal.FIRED
    assert time.monotonic() - started < 0.1
    time.sleep(0.1)  # a capture
    assert trigger.wait(0.0) is Signal.NOTHING
    assert trigger.wait(None) is Signal.FIRED
    assert 0.2 <= time.monotonic() - started < 0.4


def test_no_interval_always_fires() -> None:
    trigger = IntervalTrigger(0.0)
    assert {trigger.wait(timeout) for timeout in (0.0, None, 1.0)} == {Signal.FIRED}


class Scripted(Trigger):
    def __init__(self, *signals: Signal) -> None:
        self._signals = list(signals)
        self.closed = 0

    def wait(self, timeout_s: float | None) -> Signal:
        return self._signals.pop(0) if self._signals else Signal.NOTHING

    def close(self) -> None:
        self.closed += 1


def test_any_of_several_fires_and_all_are_closed() -> None:
    quiet, loud = Scripted(), Scripted(Signal.NOTHING, Signal.FIRED, Signal.ENDED)
    with AnyOf((quiet, loud)) as both:
        assert both.wait(None) is Signal.FIRED
        assert both.wait(None) is Signal.ENDED
        started = time.monotonic()
        assert both.wait(0.05) is Signal.NOTHING
        assert time.monotonic() - started >= 0.05
    assert (quiet.closed, loud.closed) == (1, 1)


def test_a_button_fires_once_a_press(pins) -> None:  # type: ignore[no-untyped-def]
    with GpioTrigger("17") as trigger:
        button = pins.pin(17)
        assert trigger.wait(0.0) is Signal.NOTHING
        for _ in range(2):
            time.sleep(2 * DEBOUNCE_S)
            threading.Timer(0.05, button.drive_low).start()
            assert trigger.wait(5.0) is Signal.FIRED
            assert trigger.wait(0.0) is Signal.NOTHING, "held down is one press"
            button.drive_high()
    with GpioTrigger("17"):
        pass  # the pin was given back


def test_bouncing_contacts_are_one_press(pins) -> None:  # type: ignore[no-untyped-def]
    with GpioTrigger("17") as trigger:
        button = pins.pin(17)
        for _ in range(4):  # pressed: it bounces
            button.drive_low()
            button.drive_high()
        button.drive_low()
        assert trigger.wait(0.0) is Signal.FIRED
        button.drive_high()  # let go: it bounces again
        button.drive_low()
        button.drive_high()
        assert trigger.wait(0.0) is Signal.NOTHING


@pytest.mark.parametrize(
    ("text", "says"), [("gpio:999", "999"), ("gpio:nose", "nose"), ("gpio:17", "in use")]
)
def test_a_pin_that_cannot_be_used_is_said(pins, text: str, says: str) -> None:  # type: ignore[no-untyped-def]
    with GpioTrigger("17"), pytest.raises(UsageError, match=says) as caught:
        open_trigger(text)
    assert text in str(caught.value)
    assert caught.value.code == "gpio"


def test_no_pins_on_this_machine_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    gpiozero = pytest.importorskip("gpiozero")
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    with pytest.raises(UsageError, match=r"gpio:4: gpiozero finds no GPIO pins .*none-such"):
        GpioTrigger("4")


def test_without_gpiozero_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(UsageError, match=r"pip install 'skin-edge\[pi\]'") as caught:
        GpioTrigger("4")
    assert caught.value.code == "missing-extra"


@pytest.mark.parametrize("text", ["", "enter:", "gpio", "gpio:", "button", "Enter"])
def test_an_unknown_trigger_names_those_there_are(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected enter, or gpio:PIN"):
        open_trigger(text)
