"""The log as text for other programs: CSV for spreadsheets, JSON lines for scripts, FHIR (`fhir.py`).

CSV is UTF-8 with a header, RFC 4180 quoting and CRLF; the columns are `COLUMNS`, in that order in every
version (new ones are added at the end). A nested field's column is its dotted path, an absent value an empty
cell, a truth value ``true`` or ``false``, a list its items joined by ``;``, `quality.metrics` a JSON object.

A text cell that a spreadsheet could take for a formula gets an apostrophe in front, and so does one that
begins with an apostrophe: whoever removes one leading apostrophe has the exact text back.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from skin_edge.durable import replacing
from skin_edge.errors import StorageError, UsageError
from skin_edge.faults import storage_faults
from skin_edge.results.record import Burst, Machine, ResultRecord

Format = Literal["csv", "jsonl", "fhir"]

COLUMNS = (
    "result_id",
    "created_at",
    "image",
    "label",
    "probability",
    "refer",
    "threshold",
    "reasons",
    "quality.ok",
    "quality.reasons",
    "quality.metrics",
    "model.name",
    "model.version",
    "model.sha256",
    "timing_ms.preprocess",
    "timing_ms.inference",
    "timing_ms.total",
    "source",
    "subject",
    "site",
    "logit",
    "temperature",
    "operating_point",
    "abstain_band.low",
    "abstain_band.high",
    "preprocess_fingerprint",
    "image_path",
    "image_sha256",
    "explanation_path",
    "skin_edge_version",
    "notice",
    "burst.taken",
    "burst.refused",
    "burst.used",
    "burst.views",
    "burst.spread",
    "machine.temperature_c",
    "machine.throttled",
    "machine.under_voltage",
    "machine.clock",
    "pictures_removed_at",
    "encrypted",
)

#: Cells that a minus sign may begin without being a formula.
_NUMERIC = frozenset(
    (
        "probability",
        "threshold",
        "timing_ms.preprocess",
        "timing_ms.inference",
        "timing_ms.total",
        "logit",
        "temperature",
        "abstain_band.low",
        "abstain_band.high",
        "machine.temperature_c",
    )
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")


def write_records(records: Iterable[ResultRecord], stream: BinaryIO, form: Format) -> int:
    """Write the records one by one as UTF-8 text and return how many there were.

    Raises:
        OSError: the stream does not take the text.
        StorageError: from the log that gives the records.
    """
    if form == "fhir":
        from skin_edge.results.fhir import write_bundle

        return write_bundle(records, stream)
    return _write_csv(records, stream) if form == "csv" else _write_jsonl(records, stream)


def flat_cells(record: ResultRecord) -> dict[str, str]:
    """Return the record as text by column, before any guard against formulas."""
    plain = msgspec.to_builtins(record)
    plain["abstain_band"] = dict(zip(("low", "high"), plain["abstain_band"], strict=True))
    plain["quality"]["metrics"] = msgspec.json.encode(plain["quality"]["metrics"], order="sorted").decode()
    plain["burst"] = plain["burst"] or dict.fromkeys(Burst.__struct_fields__)
    plain["machine"] = plain["machine"] or dict.fromkeys(Machine.__struct_fields__)
    cells = dict(_flatten(plain, ""))
    return {column: cells[column] for column in COLUMNS}


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """Open where an export goes: standard output, or a private file that appears when it is complete.

    Raises:
        UsageError: `path` is a directory, a device or a pipe.
        StorageError: the file cannot be written; one of that name is left as it was.
        BrokenPipeError: the reader of standard output went away.
    """
    if path is None:
        if sys.stdout is None:
            raise StorageError("standard output is closed; give --output FILE", code="stdout")
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise  # `| head` is no failure of storage
        except OSError as error:
            with storage_faults(Path("standard output"), "write the export"):
                raise error
        return
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise UsageError(f"{path}: not a regular file; leave --output out to write to standard output")
    with storage_faults(path, "write the export"), replacing(target) as stream:
        yield stream


def _write_jsonl(records: Iterable[ResultRecord], stream: BinaryIO) -> int:
    count = 0
    encoder = msgspec.json.Encoder()
    for count, record in enumerate(records, start=1):  # noqa: B007 - the number of the last is the answer
        stream.write(encoder.encode(record) + b"\n")
    return count


class _Utf8:
    """What `csv` writes to; an `io.TextIOWrapper` would close the caller's stream after a failed flush."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode("utf-8"))


def _write_csv(records: Iterable[ResultRecord], stream: BinaryIO) -> int:
    count = 0
    writer = csv.writer(_Utf8(stream))
    writer.writerow(COLUMNS)
    for count, record in enumerate(records, start=1):  # noqa: B007
        writer.writerow(_cells(record))
    return count


def _cells(record: ResultRecord) -> list[str]:
    return [cell if column in _NUMERIC else _guard(cell) for column, cell in flat_cells(record).items()]


def _guard(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _flatten(plain: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in plain.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ";".join(value)
    return str(value)
