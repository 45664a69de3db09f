"""Buttons, lights and buzzers on GPIO pins, through gpiozero, whose failures become one line.

gpiozero chooses a pin library by itself; `GPIOZERO_PIN_FACTORY` overrides it, and `mock` is one without pins.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from skin_edge.errors import UsageError

T = TypeVar("T")


def open_device(what: str, make: Callable[[Any], T]) -> T:
    """Return what `make` makes of the module `gpiozero`.

    Args:
        what: what is being opened, for the message: `trigger gpio:17`.
        make: from the module to a device.

    Raises:
        UsageError: gpiozero is not installed, or finds no pins on this machine, or not this one.
    """
    try:
        import gpiozero
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{what}: needs {error.name}, which is not installed: pip install 'skin-edge[pi]'",
            code="missing-extra",
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one for each pin library that is not there
            return make(gpiozero)
    except gpiozero.BadPinFactory as error:
        raise UsageError(
            f"{what}: gpiozero finds no GPIO pins on this machine ({_line(error)}); on a Raspberry Pi "
            "install python3-lgpio, elsewhere use --trigger enter or --interval",
            code="gpio",
        ) from None
    except (gpiozero.GPIOZeroError, OSError, RuntimeError) as error:
        raise UsageError(f"{what}: the pin cannot be used: {_line(error)}", code="gpio") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
