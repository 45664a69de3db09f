"""What came of one host, and where it is meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from skin_edge_deploy.facts import Facts
from skin_edge_deploy.machine import Machine

Status = Literal["done", "unchanged", "planned", "failed", "interrupted", "not-tried"]


@dataclass(slots=True)
class Track:
    """How far one host is; changes while it is worked on.

    Attributes:
        step: what is done now, in a word or two; empty before it is its turn.
        sent_bytes: of the upload that are on the host.
        total_bytes: of the upload.
    """

    step: str = ""
    sent_bytes: int = 0
    total_bytes: int = 0
    _from_bytes: int = field(default=0, init=False)
    _since_s: float | None = field(default=None, init=False)
    _rate: float = field(default=0.0, init=False)

    def begin(self, start: int, total: int) -> None:
        """Note that an upload of `total` bytes begins at byte `start`."""
        self.sent_bytes, self.total_bytes = start, total
        self._from_bytes, self._since_s, self._rate = start, time.monotonic(), 0.0

    def sent(self, reached: int) -> None:
        """Note that the first `reached` bytes of the upload are on the host."""
        self.sent_bytes = reached
        if self._since_s is not None:
            took_s = time.monotonic() - self._since_s
            self._rate = (reached - self._from_bytes) / took_s if took_s > 0 else 0.0

    def uploaded(self) -> None:
        """Note that the upload has ended: what follows has none to show."""
        self.total_bytes = 0

    @property
    def bytes_per_second(self) -> float:
        """Of the upload, since it began; 0 before anything was sent."""
        return self._rate


@dataclass(frozen=True, slots=True)
class Released:
    """What came of an application release on one host.

    Attributes:
        identity: of the release that it should run.
        before: identity in use before; None where there was none, or it is not known.
        after: identity in use now; None where there is none, or the host did not say.
        answer: the object that the device's `release install` printed.
        kept: of what was asked for, what the host had and keeps, in words.
    """

    identity: str
    before: str | None = None
    after: str | None = None
    answer: dict[str, Any] | None = None
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one host.

    Attributes:
        target: as it was named.
        status: see docs/deploy.md.
        message: for a person; empty where the status says it all.
        code: why it failed, for a script; None where it did not.
        before: identity in use before; None: the model that is shipped with skin-edge, or not known.
        after: identity in use now, as the host says; None where it did not say.
        facts: what was found; None where it was not reached.
        machine: what was found of it as a machine; None where no release was asked for.
        release: what came of its release; None where none was asked for, or it is not known which.
        steps: of the plan.
        fingerprint: of a host key that was accepted just now; None: it was known.
        uploaded_bytes: sent now.
        resumed_bytes: that an earlier upload had left there.
        seconds: from its turn to its end.
        answer: the object that the device's `model install` printed.
    """

    target: str
    status: Status
    message: str = ""
    code: str | None = None
    before: str | None = None
    after: str | None = None
    facts: Facts | None = None
    machine: Machine | None = None
    release: Released | None = None
    steps: tuple[str, ...] = ()
    fingerprint: str | None = None
    uploaded_bytes: int = 0
    resumed_bytes: int = 0
    seconds: float = 0.0
    answer: dict[str, Any] | None = None

    @property
    def good(self) -> bool:
        """Whether the host is as it was wanted."""
        return self.status in ("done", "unchanged", "planned")


@dataclass(slots=True)
class Known:
    """What is known of an outcome so far, whatever ends the work."""

    outcome: Outcome

    def add(self, **changes: Any) -> None:
        """Note more of it."""
        self.outcome = replace(self.outcome, **changes)

    def count(self, sent_bytes: int, resumed_bytes: int) -> None:
        """Note bytes of an upload, beside those of others."""
        self.add(
            uploaded_bytes=self.outcome.uploaded_bytes + sent_bytes,
            resumed_bytes=self.outcome.resumed_bytes + resumed_bytes,
        )
