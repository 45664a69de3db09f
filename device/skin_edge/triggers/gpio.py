"""A capture for each press of a button between a GPIO pin and ground."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from skin_edge.gpio import open_device
from skin_edge.triggers.base import Signal, Trigger

#: Contacts of a push button bounce for some milliseconds, and nobody presses twice within this.
DEBOUNCE_S: Final = 0.05


class GpioTrigger(Trigger):
    """Fires once a press; presses while a capture is under way count as one.

    Args:
        pin: Broadcom number, or a name that gpiozero knows, as `BOARD11`; pulled up, pressed is low.

    Raises:
        UsageError: no gpiozero, no pins on this machine, or not this pin.
    """

    def __init__(self, pin: str) -> None:
        self._pressed = threading.Event()
        self._released_s = -DEBOUNCE_S
        name = int(pin) if pin.isascii() and pin.isdigit() else pin
        self._button: Any = open_device(
            f"trigger gpio:{pin}", lambda gpiozero: gpiozero.Button(name, bounce_time=DEBOUNCE_S)
        )
        self._button.when_pressed = self._press
        self._button.when_released = self._release

    def wait(self, timeout_s: float | None) -> Signal:
        """As `Trigger.wait`; it never ends."""
        if not self._pressed.wait(timeout_s):
            return Signal.NOTHING
        self._pressed.clear()
        return Signal.FIRED

    def close(self) -> None:
        """Give the pin back."""
        self._button.close()

    # Called from gpiozero's thread. Not every pin library honours `bounce_time`, so it is kept here as well.
    def _press(self) -> None:
        if time.monotonic() - self._released_s >= DEBOUNCE_S:
            self._pressed.set()

    def _release(self) -> None:
        self._released_s = time.monotonic()
