"""`skin-edge results`: look into the results log and hand it on."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Literal

import typer

from skin_edge import DISCLAIMER
from skin_edge.cli import console
from skin_edge.cli.options import ConfigOption, JsonLinesOption, JsonOption
from skin_edge.config import load_config
from skin_edge.errors import UsageError
from skin_edge.results.export import flat_cells, open_output, write_records
from skin_edge.results.log import FILE_NAME, ResultsLog
from skin_edge.results.record import Label

#: The part of an id that names the millisecond: enough for `show`, and a table stays narrow.
SHORT_ID_LENGTH = 13

EXAMPLES = """\b
Examples:
  skin-edge results list --label malignant        the newest 20 of them
  skin-edge results list --since 2026-01-31 --json | jq .probability
  skin-edge results show 019ba2c4-5e1f            all that is known of one
  skin-edge results export --output results.csv   everything, for a spreadsheet
"""

app = typer.Typer(
    help="List, show and export what was decided.\n\nThe log is results.sqlite3 in the state directory "
    "(see 'skin-edge config show').",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

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


@app.command("list")
def list_results(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 20,
    since: SinceOption = None,
    label: LabelOption = None,
    subject: SubjectOption = None,
    as_json: JsonLinesOption = False,
    config: ConfigOption = None,
) -> None:
    """List the newest results, newest first."""
    moment = _moment(since)
    log = _open_log(config)
    if log is None:
        return
    with log:
        records = log.list(limit, since=moment, label=label, subject=subject)
        total = log.count()
    if as_json:
        for record in records:
            console.emit_json(record)
        return
    if not records:
        console.note(f"none of the {total} results in {log.path} fits")
        return
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
                record.subject,
                record.site,
                record.image,
                f"{record.model.name} {record.model.version}",
            )
            for record in records
        ],
    )
    console.emit(f"{len(records)} of {total} results. {DISCLAIMER}")


@app.command()
def show(
    result_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="The id, or as many of its first characters as make it unique."),
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show all that the log knows of one result."""
    log = _open_log(config)
    if log is None:
        raise UsageError(f"{result_id!r}: no result has this id", code="no-such-result")
    with log:
        record = log.get(result_id)
    if as_json:
        console.emit_json(record)
        return
    console.table("", ("field", "value"), [(name, cell or None) for name, cell in flat_cells(record).items()])


@app.command()
def export(
    form: Annotated[
        Literal["csv", "jsonl"] | None,
        typer.Option(
            "--format", help="csv, or jsonl: the objects that 'capture --json' prints.  [default: csv]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write FILE, complete or not at all, instead of standard output.",
        ),
    ] = None,
    since: SinceOption = None,
    label: LabelOption = None,
    subject: SubjectOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write the results in the order in which they were made.

    In csv, a text that a spreadsheet could take for a formula has an apostrophe in front.
    """
    if as_json and form == "csv":
        raise UsageError("--json means --format jsonl: give one of them, not --format csv as well")
    moment = _moment(since)
    log = _open_log(config)
    records = iter(()) if log is None else log.iter_all(since=moment, label=label, subject=subject)
    try:
        with open_output(output) as stream:
            count = write_records(records, stream, "jsonl" if as_json else form or "csv")
    finally:
        if log is not None:
            log.close()
    if output is not None:
        console.note(f"{count} results written to {output}")


def _open_log(config: Path | None) -> ResultsLog | None:
    """Return the log, or None after a note that there is none yet."""
    state_dir = load_config(config).state_dir()
    log = ResultsLog.open_readonly(state_dir)
    if log is None:
        console.note(f"no results yet: {state_dir / FILE_NAME} begins with the first 'skin-edge capture'")
    return log


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since {text!r}: not a time; write 2026-01-31, 2026-01-31T14:30 or 2026-01-31T14:30+01:00"
        ) from None
