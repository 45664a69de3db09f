"""From the text that a person writes to a trigger."""

from __future__ import annotations

from skin_edge.errors import UsageError
from skin_edge.triggers.base import Trigger


def open_trigger(text: str) -> Trigger:
    """Open a trigger; each kind is imported when it is used.

    Args:
        text: `enter` or `gpio:PIN`.

    Raises:
        UsageError: no such kind, or one that does not work here.
    """
    kind, colon, rest = text.partition(":")
    if kind == "enter" and not colon:
        from skin_edge.triggers.enter import EnterTrigger

        return EnterTrigger()
    if kind == "gpio" and rest:
        from skin_edge.triggers.gpio import GpioTrigger

        return GpioTrigger(rest)
    raise UsageError(f"trigger {text!r}: no such trigger; expected enter, or gpio:PIN as in gpio:17")
