"""`skin-edge doctor`: is everything here as it must be, and what to do where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from skin_edge.health.checks.check import Result

EPILOG = """\b
Each check says ok, warn (works, but not for long or not as well), fail (does not
work, or not safely) or skip (does not apply here), why, and what to do about it.
Nothing is changed: no row is written, no settings are made.
\b
Checks:
  software      Python, OpenCV, numpy, and the runtime with a network in it
  config        the settings file in force
  model         hashes, and the golden vectors on this machine
  camera        opens the source and takes a frame, within the time-outs of camera
  disk          room, inodes, and a database written and flushed in the state folder
  log           PRAGMA quick_check of the results log
  permissions   who may read the results
  devices       may this user open the camera's and the pins' device files
  clock         synchronised, from a hardware clock, or not set; behind the log
  temperature   of the processor
  throttling    now and since the machine started
  power         under-voltage, now and since the machine started
  service       skin-edge.service, where systemd runs the machine
\b
Examples:
  skin-edge doctor
  skin-edge doctor --source demo --only camera --only model
  sudo -u skin-edge skin-edge doctor               as the user that the service runs as
  skin-edge doctor --json | jq '.checks[] | select(.status != "ok")'
\b
Exit status: 0 no check failed (warnings may be there), 2 usage, 6 a check failed.
"""

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EPILOG)
def doctor(
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="SOURCE", help="Frame source to try; default: the settings'."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="CHECK", help="Run this check alone; may be given several times."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Check camera, model, settings, disk, log, clock, heat, power, permissions and service."""
    from skin_edge.errors import HealthError
    from skin_edge.health.checks.registry import chosen, make_context, run

    names = chosen(only or ())
    context = make_context(config, source)
    results = _announced(run(names, context), names)
    failed = any(result.status == "fail" for result in results)
    if as_json:
        console.emit_json({"ok": not failed, "checks": results})
    else:
        _draw(results)
    if failed:
        raise typer.Exit(HealthError.exit_code)


def _announced(results: Iterator[Result], names: tuple[str, ...]) -> list[Result]:
    """Go through the results; on a terminal, stderr says what is being looked at meanwhile."""
    if not console.is_terminal(sys.stderr):
        return list(results)
    from rich.console import Console

    done: list[Result] = []
    with Console(stderr=True, markup=False, highlight=False).status("") as status:
        for number, name in enumerate(names, start=1):
            status.update(f"{name} ({number} of {len(names)})")
            done.append(next(results))
    return done


def _draw(results: list[Result]) -> None:
    """Write the table to stdout, coloured on a terminal, and a line that sums it up."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = console.is_terminal()
    table = Table.grid(padding=(0, 2))
    for overflow in ("ignore", "ignore", "fold"):
        table.add_column(overflow=overflow, no_wrap=overflow == "ignore")
    for result in results:
        told = Text(console.visible(result.message))
        if result.fix and result.status != "ok":
            told.append(f"\n-> {console.visible(result.fix)}", style="cyan")
        table.add_row(Text(result.status, style=_COLOURS[result.status]), Text(result.name), told)
    counts = {status: sum(r.status == status for r in results) for status in _COLOURS}
    summary = Text(", ".join(f"{n} {status}" for status, n in counts.items() if n))
    screen = Console(
        markup=False, highlight=False, emoji=False, width=None if terminal else console.PIPE_WIDTH
    )
    with screen.capture() as captured:
        screen.print(table)
        screen.print(summary)
    console.emit("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))
