"""`skin-edge results purge`: delete results, or their pictures, after showing which."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import ConfigOption, JsonOption
from skin_edge.cli.results.opening import note_unreadable, open_to_change, open_to_read
from skin_edge.cli.results.selecting import age_s
from skin_edge.errors import UsageError

if TYPE_CHECKING:
    from skin_edge.results.log import ResultsLog
    from skin_edge.results.purge import Plan

EPILOG = """\b
Examples:
  skin-edge results purge --older-than 90d --dry-run        only show what would go
  skin-edge results purge --older-than 90d --keep 1000      old, but never the newest 1000
  skin-edge results purge --subject P-017                   all that is kept of one person
  skin-edge results purge --keep 200 --images-only --yes    rows stay, older pictures go
  skin-edge results purge --orphans                         pictures that no row names
\b
Given together, conditions narrow: a result goes where all of them hold. What would go is
shown first and asked for; --yes does not ask. Deleted rows are overwritten in the log's
file. Copies, exports and what a flash card keeps of old blocks are beyond reach.
"""

#: Rows shown one by one before they go.
_SHOWN = 20


def purge(
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Taken so long ago: 90d, 12h, 2w, 1y.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=0, help="Never the newest N (of the subject).")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="ID", help="Of this subject (pseudonym) only.")
    ] = None,
    images_only: Annotated[
        bool, typer.Option("--images-only", help="Delete their pictures; the rows stay, and say so.")
    ] = False,
    orphans: Annotated[
        bool,
        typer.Option("--orphans", help="Pictures that no row names, and what interrupted writes left."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; delete nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Delete results and their pictures."""
    from skin_edge.results.purge import Selection, carry_out, plan

    selection = Selection(age_s(older_than), keep, subject, images_only, orphans)
    log = open_to_read(config) if dry_run else open_to_change(config)
    if log is None:
        return
    with log:
        chosen = plan(log, selection)
        if not as_json:
            _show(log, chosen, images_only=images_only)
        note_unreadable(log, subject)
        if not dry_run and not chosen.nothing:
            _ask(yes=yes)
            removed = carry_out(log, chosen, images_only=images_only)
    if as_json:
        console.emit_json(_told(chosen, dry_run=dry_run, images_only=images_only))
    elif not dry_run and not chosen.nothing:
        console.emit(
            f"deleted {removed.results} results and {removed.pictures} files ({_size(removed.picture_bytes)})"
        )


def _show(log: ResultsLog, chosen: Plan, *, images_only: bool) -> None:
    from skin_edge.cli.results.looking import summary_table
    from skin_edge.results.purge import records

    if chosen.nothing:
        console.emit("nothing to delete")
        return
    if chosen.seqs:
        summary_table(records(log, chosen.seqs[:_SHOWN]))
    if len(chosen.seqs) > _SHOWN:
        console.emit(f"... and {len(chosen.seqs) - _SHOWN} more")
    for path in chosen.strays.all[:_SHOWN]:
        console.emit(console.visible(path))
    if len(chosen.strays.all) > _SHOWN:
        console.emit(f"... and {len(chosen.strays.all) - _SHOWN} more")
    what = f"the pictures of {len(chosen.seqs)} results" if images_only else f"{len(chosen.seqs)} results"
    pictures = f"{len(chosen.pictures)} pictures ({_size(chosen.picture_bytes)})"
    console.emit(f"to delete: {what}, {pictures}, {len(chosen.strays.all)} files that no row names")


def _ask(*, yes: bool) -> None:
    """Return where the deletion may go on.

    Raises:
        UsageError: nobody is there to be asked, or the answer is no.
    """
    if yes:
        return
    if not console.is_terminal(sys.stdin):
        raise UsageError("nobody to ask: give --yes to delete, or --dry-run to only look", code="no-consent")
    if not typer.confirm("Delete them for good?", err=True):
        raise UsageError("nothing deleted", code="no-consent")


def _told(chosen: Plan, *, dry_run: bool, images_only: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "images_only": images_only,
        "results": 0 if images_only else len(chosen.seqs),
        "pictures": list(chosen.pictures),
        "picture_bytes": chosen.picture_bytes,
        "orphans": list(chosen.strays.orphans),
        "temporaries": list(chosen.strays.temporaries),
        "unfinished": list(chosen.strays.unfinished),
        "aside": list(chosen.strays.aside),
        "unreadable": chosen.unreadable,
    }


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
