"""`skin-edge train data audit`: which pictures are copies, what leaks, and what gives the label away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption
from skin_edge.errors import ImageError
from skin_edge_training.options import showing

#: Unreadable pictures named on stderr; all are in unreadable.csv.
NOTED = 10


def audit(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Folders of pictures, one set each.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="OUT", help="Folder for the csv files and report.html.")
    ],
    split: Annotated[
        list[Path] | None,
        typer.Option("--split", metavar="FILE", help="A csv of image_id and part to check; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find copies inside and across sets, group them, check splits, measure shortcuts.

    HAM10000's layout, one folder a class, and plain folders are known. Copies are found however they are
    turned, mirrored, squashed, cropped to 70 % of the side, or coded anew.

    OUT gets pairs.csv, siblings.csv, groups.csv, shortcuts.csv, unreadable.csv and report.html. Where a
    picture cannot be read the others go on, and the exit status is 1.
    """
    from skin_edge_training.audit.audit import audit as examine
    from skin_edge_training.audit.report import write_report

    found = examine(folders, split or [], showing)
    write_report(found, out)
    summary = found.summary()
    for error in found.unreadable["error"].head(NOTED):
        console.note(f"skin-edge: {error}")
    if (more := len(found.unreadable) - NOTED) > 0:
        console.note(f"skin-edge: and {more} more; all are in {out / 'unreadable.csv'}")
    if len(found.absent):
        console.note(f"skin-edge: {len(found.absent)} pictures that a set's own table names are not there")
    if as_json:
        console.emit_json({"out": str(out), **summary})
    else:
        console.emit(
            f"{summary['pictures']:,} pictures, {summary['groups']:,} groups, {summary['label_conflicts']} "
            f"with more than one label, {summary['unreadable']} unreadable; see {out / 'report.html'}"
        )
        for title, key in (("Pairs", "pairs"), ("One set in another", "overlaps"), ("Splits", "splits")):
            if rows := summary[key]:
                console.table(title, list(rows[0]), [tuple(row.values()) for row in rows])
        if rows := [row for row in summary["shortcuts"] if row["model"] == "boosting"]:
            console.table("Shortcuts", list(rows[0]), [tuple(row.values()) for row in rows])
    if len(found.unreadable):
        raise typer.Exit(ImageError.exit_code)
