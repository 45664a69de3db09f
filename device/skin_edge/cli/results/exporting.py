"""`skin-edge results export`: the log for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from skin_edge.cli import console
from skin_edge.cli.options import ConfigOption
from skin_edge.cli.results.opening import note_unreadable, open_to_read
from skin_edge.cli.results.selecting import LabelOption, SinceOption, SubjectOption, moment
from skin_edge.errors import UsageError
from skin_edge.results.export import open_output, write_records

EPILOG = """\b
Examples:
  skin-edge results export --output results.csv
  skin-edge results export --json --since 2026-01-31 | jq .label
  skin-edge results export --format fhir --subject P-017 -o P-017.json
\b
fhir is one Bundle: for each result a DiagnosticReport, marked as not verified, with
its Observations. Pictures are in no export; see 'skin-edge results picture'.
"""


def export(
    form: Annotated[
        Literal["csv", "jsonl", "fhir"] | None,
        typer.Option(
            "--format",
            help="csv; jsonl: the objects of 'capture --json'; fhir: a FHIR R4 Bundle.  [default: csv]",
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
    if as_json and form not in (None, "jsonl"):
        raise UsageError(f"--json means --format jsonl: give one of them, not --format {form} as well")
    taken_since = moment(since)
    log = open_to_read(config)
    if log is not None:
        note_unreadable(log, subject)
    records = iter(()) if log is None else log.iter_all(since=taken_since, label=label, subject=subject)
    try:
        with open_output(output) as stream:
            count = write_records(records, stream, "jsonl" if as_json else form or "csv")
    finally:
        if log is not None:
            log.close()
    if output is not None:
        console.note(f"{count} results written to {output}")
