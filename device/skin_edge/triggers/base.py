"""What a trigger is, and one made of several."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum, auto
from types import TracebackType
from typing import Final, TypeVar

#: How long each of several triggers is asked before the next one: a finger does not feel it.
_TURN_S: Final = 0.02


Own = TypeVar("Own", bound="Trigger")


class Signal(Enum):
    """What became of waiting for a trigger."""

    FIRED = auto()
    NOTHING = auto()
    ENDED = auto()


class Trigger(ABC):
    """Something that asks for a capture: a context manager."""

    @abstractmethod
    def wait(self, timeout_s: float | None) -> Signal:
        """Wait until it fires, ends, or the time is over.

        Args:
            timeout_s: seconds; 0 does not wait, None waits for ever.

        Returns:
            `FIRED` once for each capture that is asked for, `NOTHING` where the time is over, `ENDED` where
            it will never fire again.
        """

    def close(self) -> None:  # noqa: B027 - a trigger that holds nothing has nothing to do
        """Let go of what it holds; a second call does nothing."""

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AnyOf(Trigger):
    """Fires when one of several does, and ends when one of them ends.

    Args:
        triggers: at least one; closed with this one.
    """

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        self._triggers = tuple(triggers)

    def wait(self, timeout_s: float | None) -> Signal:
        """As `Trigger.wait`; a trigger that fires while another is asked is heard in its turn."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            for trigger in self._triggers:
                left = _TURN_S if deadline is None else max(0.0, deadline - time.monotonic())
                signal = trigger.wait(min(_TURN_S, left))
                if signal is not Signal.NOTHING:
                    return signal
            if deadline is not None and time.monotonic() >= deadline:
                return Signal.NOTHING

    def close(self) -> None:
        """Close all of them."""
        for trigger in self._triggers:
            trigger.close()
