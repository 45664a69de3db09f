"""What came of one host, and where it is meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from skin_edge_deploy.facts import Facts

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
