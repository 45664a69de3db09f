"""`skin-edge service install`: put the units in place, and start them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption
from skin_edge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skin_edge.service.plan import Plan

EPILOG = """\b
Writes the units, the users skin-edge and skin-edge-display, the folders /var/lib/skin-edge,
/var/log/skin-edge and /etc/skin-edge, and rules for cameras; enables and starts the service.
Again is safe: what is as it should be stays, what differs is written anew, whole or not
at all, and only then is the service restarted. Settings of your own go into
/etc/skin-edge/config.yaml, and for systemd into 'systemctl edit skin-edge'.
\b
With the page on the device's own display, as with apt-get install cage chromium, the
login on its first console goes; the others (Ctrl-Alt-F2) stay.
\b
Examples:
  skin-edge service install --dry-run             what would change, as a diff
  sudo skin-edge service install                  with a display where cage and Chromium are
  sudo skin-edge service install --no-display     the page for a browser of your own
  sudo skin-edge service install --root /mnt/card --executable /opt/skin-edge/bin/skin-edge
\b
Exit status: 0 done, 2 not root, no systemd, or no program that the service could start,
6 systemd refused, or the service does not start.
"""

RootOption = Annotated[
    Path,
    typer.Option(
        "--root", metavar="DIR", help="Root of an image instead of this system; nothing is started."
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]


def install(
    display: Annotated[
        bool | None,
        typer.Option(
            "--display/--no-display",
            help="The page on the device's own display; by default where cage and Chromium are installed.",
        ),
    ] = None,
    executable: Annotated[
        Path | None,
        typer.Option(
            "--executable", metavar="FILE", help="skin-edge as the service starts it; default: this."
        ),
    ] = None,
    root: RootOption = Path("/"),
    restart: Annotated[
        bool,
        typer.Option(
            "--restart", help="Start the service anew even where its unit is the same, as with a new release."
        ),
    ] = False,
    no_start: Annotated[
        bool,
        typer.Option(
            "--no-start", help="Files, users and links only: the system starts the service by itself."
        ),
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Install the service, start it now and at every boot."""
    from skin_edge.service import control
    from skin_edge.service.apply import apply
    from skin_edge.service.facts import gather
    from skin_edge.service.plan import plan_install

    if restart and no_start:
        raise UsageError("--restart and --no-start: one of them")
    root = root.absolute()
    if root == Path("/") and not dry_run:
        control.require_systemd()
    facts = gather(root, executable)
    plan = plan_install(facts, display=display)
    before, commands = (
        control.commands_before_removal(plan),
        control.commands_to_install(plan, "always" if restart else "never" if no_start else "changed"),
    )
    if not as_json:
        show(plan, (*before, *commands), diffs=dry_run)
        if display is None and not facts.can_display:
            console.note(
                "skin-edge: no display: that needs cage and chromium (apt-get install cage chromium)"
            )
    if not dry_run:
        control.run(before)
        apply(plan)
        control.run(commands)
    if as_json:
        console.emit_json(told(plan, (*before, *commands), dry_run=dry_run))
    elif not dry_run and not no_start and root == Path("/"):
        console.emit("the service runs; skin-edge service status tells how it is")


def show(plan: Plan, commands: Sequence[Sequence[str]], *, diffs: bool) -> None:
    """Write what changes to stdout, one file or command a line, with diffs where asked for."""
    for change in plan.changed:
        console.emit(console.visible(f"{change.action:7} {change.path}"))
        if diffs and change.action == "update":
            console.emit(change.diff().rstrip("\n"))
    kept = len(plan.changes) - len(plan.changed)
    if kept:
        console.emit(f"as they are to be: {kept} files")
    for command in commands:
        console.emit(console.visible(f"run     {' '.join(command)}"))


def told(plan: Plan, commands: Sequence[Sequence[str]], *, dry_run: bool) -> dict[str, object]:
    """Return what `--json` prints."""
    return {
        "dry_run": dry_run,
        "root": str(plan.root),
        "units": plan.units,
        "files": [{"path": str(change.path), "action": change.action} for change in plan.changes],
        "commands": commands,
    }
