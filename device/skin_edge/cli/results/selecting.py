"""The options that say which results are meant."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Annotated

import typer

from skin_edge.errors import UsageError
from skin_edge.results.record import Label

SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Taken at TIME or later: 2026-01-31 or 2026-01-31T14:30, UTC, or with +HH:MM.",
    ),
]
LabelOption = Annotated[Label | None, typer.Option("--label", help="With this label only.")]
SubjectOption = Annotated[
    str | None, typer.Option("--subject", metavar="ID", help="Of this subject (pseudonym) only.")
]

_AGE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*([smhdwy])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}


def moment(text: str | None) -> datetime | None:
    """Return the time that `--since` means, in UTC.

    Raises:
        UsageError: it is not a time.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since {text!r}: not a time; write 2026-01-31, 2026-01-31T14:30 or 2026-01-31T14:30+01:00"
        ) from None


def age_s(text: str | None) -> float | None:
    """Return the seconds that `--older-than` means.

    Raises:
        UsageError: it is not an age, or before the beginning of time.
    """
    if text is None:
        return None
    found = _AGE.fullmatch(text.strip().lower())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else -1.0
    if not 0 < seconds <= 50 * _SECONDS["y"]:
        raise UsageError(
            f"--older-than {text!r}: not an age; write 90d, 12h, 2w or 1y (of 365.25 days), at most 50y"
        )
    return seconds
