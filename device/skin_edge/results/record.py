"""One row of the results log, which is also the JSON object that every command prints.

The order of the fields is the order in the JSON. A new field needs a default, so that older rows still
decode, and a migration, so that an older skin-edge refuses the log instead of stumbling over the field.
"""

from __future__ import annotations

import math
import os
import re
import time
from datetime import datetime, timezone
from numbers import Real
from typing import Any, Literal, get_args

import msgspec

import skin_edge
from skin_edge.strict import Strict

#: The same values as `skin_edge.frame.Label`, which would bring numpy in; a test holds them together.
Label = Literal["benign", "malignant", "uncertain"]

_LABELS = get_args(Label)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class _Serialisable(Strict, frozen=True):
    """Refuses at construction what JSON and SQLite cannot hold."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            plain = _plain(value, name)
            if plain is not value:
                msgspec.structs.force_setattr(self, name, plain)


def _plain(value: Any, name: str) -> Any:
    kind = type(value)
    if value is None or kind is bool or (kind is float and math.isfinite(value)):
        return value  # nearly all that comes, and the checks against abstract classes below are slow
    if isinstance(value, str):
        # Bytes of a file name that are not UTF-8 arrive as lone surrogates.
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Real) and not isinstance(value, bool):  # numpy scalars too
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{name}: {number} is not a finite number")
        return number
    if isinstance(value, tuple):
        return tuple(_plain(item, name) for item in value)
    if isinstance(value, dict):
        return {_plain(key, name): _plain(item, f"{name}.{key}") for key, item in value.items()}
    return value


class Quality(_Serialisable, frozen=True, kw_only=True):
    """Was the frame fit to classify: reasons are stable identifiers, metrics the figures behind them."""

    ok: bool
    reasons: tuple[str, ...] = ()
    metrics: dict[str, float] = msgspec.field(default_factory=dict)


class ModelRef(_Serialisable, frozen=True, kw_only=True):
    """Which network answered; `sha256` (hex) is that of the model file."""

    name: str
    version: str
    sha256: str


class Timing(_Serialisable, frozen=True, kw_only=True):
    """Milliseconds of wall time."""

    preprocess: float
    inference: float
    total: float


class Burst(Strict, frozen=True, kw_only=True):
    """How many frames and views stand behind one decision, and how far they agreed.

    Attributes:
        taken: frames that were taken and could be read.
        refused: how many of them the quality gate refused.
        used: how many were classified; their mean logit is the record's.
        views: flips and rotations of each that were averaged.
        spread: largest difference between two used frames, in calibrated log-odds (`logit / temperature`).
    """

    taken: int
    refused: int
    used: int
    views: int
    spread: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.spread):
            raise ValueError(f"spread: {self.spread} is not a finite number")


class Machine(_Serialisable, frozen=True, kw_only=True):
    """How the machine was when the decision was made; None is what it does not tell.

    Attributes:
        temperature_c: of the processor, degrees Celsius.
        throttled: it was slowed down, by heat or by lack of power.
        under_voltage: its supply was below what it needs.
        clock: can `created_at` be believed: ``synchronised``, ``rtc`` (a hardware clock), ``unset`` (no), or
            ``unknown``.
    """

    temperature_c: float | None = None
    throttled: bool | None = None
    under_voltage: bool | None = None
    clock: Literal["synchronised", "rtc", "unset", "unknown"]


class ResultRecord(_Serialisable, frozen=True, kw_only=True):
    """A decision with everything that is needed to understand and repeat it.

    Attributes:
        image: what a person calls the picture: a path, or the source and a number.
        label: ``benign``, ``malignant`` or ``uncertain``.
        probability: calibrated probability of malignant, 0 to 1.
        refer: True where a clinician should see the lesion.
        threshold: probability of the operating point in use, 0 to 1.
        reasons: why the label is ``uncertain``.
        result_id: the row's id; None where the decision is not logged.
        created_at: when the frame was taken, UTC, as `utc_timestamp` writes it.
        source: the frame source as the user wrote it.
        subject: a pseudonym, never a name.
        site: where on the body.
        timing_ms: of the frames that were used together, of the gate on all of them in `total`.
        logit: log-odds of malignant before calibration by `temperature`; the mean over the frames used.
        operating_point: name of the bundle's operating point.
        abstain_band: probabilities (low, high) between which the label is ``uncertain``.
        preprocess_fingerprint: of the six stages as they ran.
        image_path: the kept picture, relative to the state directory.
        image_sha256: hex digest of that file.
        explanation_path: the drawn activation map.
        burst: the frames behind the decision; None where it is one frame seen once.
        machine: how the machine was; None where nobody looked.
        pictures_removed_at: when the kept pictures of this row were deleted, UTC; None where they were not.
        encrypted: the names of fields that are encrypted with a key that is not at hand, and None here.

    Raises:
        ValueError: a number that is not finite, a probability outside 0 to 1, an unknown label or a
            timestamp of another form: a mistake in the caller, not in the input.
    """

    image: str
    label: Label
    probability: float
    refer: bool
    threshold: float
    reasons: tuple[str, ...] = ()
    quality: Quality
    model: ModelRef
    timing_ms: Timing
    result_id: str | None = None
    created_at: str
    source: str
    subject: str | None = None
    site: str | None = None
    logit: float
    temperature: float
    operating_point: str
    abstain_band: tuple[float, float]
    preprocess_fingerprint: str
    image_path: str | None = None
    image_sha256: str | None = None
    explanation_path: str | None = None
    burst: Burst | None = None
    machine: Machine | None = None
    pictures_removed_at: str | None = None
    encrypted: tuple[str, ...] = ()
    skin_edge_version: str = skin_edge.__version__
    notice: str = skin_edge.DISCLAIMER

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label not in _LABELS:
            raise ValueError(f"label: {self.label!r} is none of {', '.join(_LABELS)}")
        for name in ("probability", "threshold"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: {getattr(self, name)} is outside 0 to 1")
        if not _TIMESTAMP.fullmatch(self.created_at):
            raise ValueError(f"created_at: {self.created_at!r} is not like 2026-01-31T12:00:00.000Z")


def utc_timestamp(wall_time_s: float) -> str:
    """Return seconds since the epoch as UTC ISO-8601 with milliseconds, ``2026-01-31T12:00:00.000Z``."""
    # Through whole milliseconds: fixed width is what makes the text sort by time.
    milliseconds = math.floor(wall_time_s * 1000)
    moment = datetime.fromtimestamp(milliseconds // 1000, timezone.utc)
    return f"{moment.replace(tzinfo=None).isoformat()}.{milliseconds % 1000:03d}Z"


def new_result_id(wall_time_s: float | None = None) -> str:
    """Return a new id that sorts by time: UUID version 7 (RFC 9562), its clock `wall_time_s` or now.

    The first 13 characters name the millisecond, which is enough to tell one capture from another.
    """
    milliseconds = int((time.time() if wall_time_s is None else wall_time_s) * 1000) & (1 << 48) - 1
    random = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 7 << 76 | (random >> 62 & 0xFFF) << 64 | 2 << 62 | random & (1 << 62) - 1
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
