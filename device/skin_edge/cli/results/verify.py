"""`skin-edge results verify`: are the log and the kept pictures whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from skin_edge.cli import console
from skin_edge.cli.options import ConfigOption, JsonOption
from skin_edge.cli.results.opening import open_to_change, open_to_read
from skin_edge.errors import StorageError

EPILOG = """\b
Checked: SQLite's own integrity, that every row can be read and agrees with its columns,
that every picture a row names is there and is the one that was classified (SHA-256),
pictures that no row names, files of interrupted writes, deletions that were cut short,
and that nobody else may read any of it.
\b
--repair loses nothing: it finishes deletions, deletes files of interrupted writes, moves
pictures without a row to orphans/ in the state directory, and narrows modes.
\b
Exit status: 0 whole, 5 something is wrong.
"""


def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Put right what can be put right without loss, then check.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Check that log and pictures are whole and fit together."""
    from skin_edge.results.verify import repair as put_right
    from skin_edge.results.verify import verify as check_all

    log = open_to_change(config) if repair else open_to_read(config)
    if log is None:
        return

    def progress(paths: list[str]) -> Iterator[str]:
        return console.progress(paths, len(paths), "verify")

    with log:
        done = put_right(log) if repair else ()
        checks = check_all(log, progress)
    ok = all(check.status != "fail" for check in checks)
    if as_json:
        plain = [msgspec.to_builtins(check) for check in checks]
        console.emit_json({"log": str(log.path), "ok": ok, "repaired": done, "checks": plain})
    else:
        for line in done:
            console.note(line)
        console.table(
            "",
            ("check", "status", "found", "what to do"),
            [(check.name, check.status, check.message, check.fix) for check in checks],
        )
        for check in checks:
            for item in check.items:
                console.emit(f"{check.name}: {console.visible(item)}")
            if check.count > len(check.items) > 0:
                console.emit(f"{check.name}: ... and {check.count - len(check.items)} more")
    if not ok:
        raise typer.Exit(StorageError.exit_code)
