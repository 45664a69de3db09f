"""`skin-edge results list`, `show` and `picture`: what was decided."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from skin_edge import DISCLAIMER
from skin_edge.cli import console
from skin_edge.cli.options import ConfigOption, JsonLinesOption, JsonOption
from skin_edge.cli.results.opening import note_unreadable, open_to_read
from skin_edge.cli.results.selecting import LabelOption, SinceOption, SubjectOption, moment
from skin_edge.errors import UsageError
from skin_edge.results.export import flat_cells, open_output
from skin_edge.results.record import ResultRecord

#: The part of an id that names the millisecond: enough for `show`, and a table stays narrow.
SHORT_ID_LENGTH = 13


def list_results(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 20,
    since: SinceOption = None,
    label: LabelOption = None,
    subject: SubjectOption = None,
    as_json: JsonLinesOption = False,
    config: ConfigOption = None,
) -> None:
    """List the newest results, newest first."""
    taken_since = moment(since)
    log = open_to_read(config)
    if log is None:
        return
    with log:
        records = log.list(limit, since=taken_since, label=label, subject=subject)
        total = log.count()
        note_unreadable(log, subject)
    if as_json:
        for record in records:
            console.emit_json(record)
        return
    if not records:
        console.note(f"none of the {total} results in {log.path} fits")
        return
    summary_table(records)
    console.emit(f"{len(records)} of {total} results. {DISCLAIMER}")


def show(
    result_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="The id, or as many of its first characters as make it unique."),
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show all that the log knows of one result."""
    log = open_to_read(config)
    if log is None:
        raise UsageError(f"{result_id!r}: no result has this id", code="no-such-result")
    with log:
        record = log.get(result_id)
    if as_json:
        console.emit_json(record)
        return
    cells = flat_cells(record) | dict.fromkeys(record.encrypted, "encrypted")
    console.table("", ("field", "value"), [(name, cell or None) for name, cell in cells.items()])


def picture(
    result_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="The id, or as many of its first characters as make it unique."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The PNG file to write; private to you.")
    ],
    explanation: Annotated[
        bool, typer.Option("--explanation", help="Its activation map instead, where that was kept.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write the kept picture of one result to a file, decrypted where it is encrypted."""
    from skin_edge.results.images import ImageStore
    from skin_edge.results.removal import is_kept

    log = open_to_read(config)
    if log is None:
        raise UsageError(f"{result_id!r}: no result has this id", code="no-such-result")
    with log:
        record = log.get(result_id)
        path = record.explanation_path if explanation else record.image_path
        if path is None or not is_kept(path):
            gone = record.pictures_removed_at
            why = f"it was deleted at {gone}" if gone else "pictures are kept with 'capture --save-images'"
            raise UsageError(f"{record.result_id}: no such picture is kept: {why}", code="no-picture")
        store = ImageStore(log.path.parent, log.keyring)
        content = store.read(path, record.result_id or "", "explanation" if explanation else "image")
    with open_output(output) as stream:
        stream.write(content)
    if as_json:
        console.emit_json({"result_id": record.result_id, "picture": str(output), "bytes": len(content)})
    else:
        console.note(f"{len(content)} bytes written to {output}")


def _shown(record: ResultRecord, field: str) -> str | None:
    return "encrypted" if field in record.encrypted else getattr(record, field)


def summary_table(records: Iterable[ResultRecord]) -> None:
    """Write a table of results, a line each, to stdout."""
    console.table(
        "",
        ("id", "taken (UTC)", "label", "p(malignant)", "refer", "subject", "site", "image", "model"),
        [
            (
                (record.result_id or "")[:SHORT_ID_LENGTH],
                record.created_at[:19].replace("T", " "),
                record.label,
                f"{record.probability:.3f}",
                "yes" if record.refer else "no",
                _shown(record, "subject"),
                _shown(record, "site"),
                record.image,
                f"{record.model.name} {record.model.version}",
            )
            for record in records
        ],
    )
