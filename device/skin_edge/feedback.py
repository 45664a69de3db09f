"""What a light and a buzzer say about a capture, for whoever holds the camera and sees no screen.

    state                     light                   buzzer
    ready; benign             on                      one short beep after a decision
    busy                      blinks five a second    -
    refused: take it again    blinks once a second    two short beeps
    refer: show a clinician   on, with short gaps     one long beep

A refusal is told apart from a referral because it asks for something else: a better picture. The light keeps
the last state until the next capture. None of it is a diagnosis.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from skin_edge.gpio import open_device

if TYPE_CHECKING:
    from skin_edge.results.record import ResultRecord


class Feedback:
    """Says nothing: the base of what does, and what is used where there is no light."""

    def ready(self) -> None:
        """Say that a capture may be asked for."""

    def busy(self) -> None:
        """Say that a capture is under way: hold still."""

    def decided(self, record: ResultRecord) -> None:
        """Say what came of it."""

    def refused(self) -> None:
        """Say that the picture cannot be used: take it again."""

    def close(self) -> None:
        """Turn everything off and let go of it."""

    def __enter__(self) -> Feedback:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class GpioFeedback(Feedback):
    """A light, an active buzzer, or both. The patterns run in gpiozero's threads and hold nothing up.

    Args:
        led_pin: Broadcom number of the light's pin; None for none.
        buzzer_pin: Broadcom number of the buzzer's pin; None for none.

    Raises:
        UsageError: no gpiozero, no pins on this machine, or not these.
    """

    def __init__(self, led_pin: int | None, buzzer_pin: int | None) -> None:
        self._led: Any = None
        self._buzzer: Any = None
        with ExitStack() as opened:
            if led_pin is not None:
                self._led = open_device(f"feedback.led_pin {led_pin}", lambda gpio: gpio.LED(led_pin))
                opened.callback(self._led.close)
            if buzzer_pin is not None:
                self._buzzer = open_device(
                    f"feedback.buzzer_pin {buzzer_pin}", lambda gpio: gpio.Buzzer(buzzer_pin)
                )
                opened.callback(self._buzzer.close)
            self._opened = opened.pop_all()

    def ready(self) -> None:
        """As the table says."""
        self._light(None)

    def busy(self) -> None:
        """As the table says."""
        self._light((0.1, 0.1))

    def decided(self, record: ResultRecord) -> None:
        """As the table says; a picture that was not fit to classify counts as refused."""
        if not record.quality.ok:
            self.refused()
        elif record.refer:
            self._light((0.9, 0.1))
            self._beep(0.8, 1)
        else:
            self._light(None)
            self._beep(0.1, 1)

    def refused(self) -> None:
        """As the table says."""
        self._light((0.5, 0.5))
        self._beep(0.1, 2)

    def close(self) -> None:
        """Turn both off and give the pins back."""
        self._opened.close()

    def _light(self, blink_s: tuple[float, float] | None) -> None:
        if self._led is None:
            return
        if blink_s is None:
            self._led.on()
        else:
            self._led.blink(*blink_s)

    def _beep(self, length_s: float, times: int) -> None:
        if self._buzzer is not None:
            self._buzzer.beep(length_s, 0.1, n=times)
