"""`skin-edge service uninstall`: stop the service and take its files away, not what it wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption
from skin_edge.cli.service.installing import DryRunOption, RootOption, show, told
from skin_edge.errors import UsageError

EPILOG = """\b
Results, models and the users stay, and so do settings of your own; --purge deletes
/var/lib/skin-edge, /var/log/skin-edge and the users as well, and asks before.
\b
Examples:
  skin-edge service uninstall --dry-run           what would go
  sudo skin-edge service uninstall
  sudo skin-edge service uninstall --purge        and every result with it, for good
"""


def uninstall(
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete results, models, logs and the users too, for good.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    root: RootOption = Path("/"),
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Stop the service and remove it; results stay."""
    from skin_edge.service import control
    from skin_edge.service.apply import apply
    from skin_edge.service.plan import plan_uninstall

    root = root.absolute()
    if root == Path("/") and not dry_run:
        control.require_systemd()
    plan = plan_uninstall(root)
    before, after = control.commands_before_removal(plan), control.commands_after_removal(plan)
    users = control.commands_to_remove_users(root) if purge else ()
    folders = control.state_folders(root)
    if not as_json:
        show(plan, (*before, *after, *users), diffs=False)
        for folder in folders:
            console.emit(console.visible(f"{'delete' if purge else 'stays':7} {folder}"))
        if not plan.changed and not (purge and (folders or users)):
            console.emit("nothing to uninstall")
    if not dry_run:
        if purge and folders:
            _ask(folders, yes=yes)
        control.run(before)
        apply(plan)
        control.run(after)
        if purge:
            control.remove_state(root)
            control.run(users)
    if as_json:
        state = {"state": [str(folder) for folder in folders], "purge": purge}
        console.emit_json(told(plan, (*before, *after, *users), dry_run=dry_run) | state)


def _ask(folders: tuple[Path, ...], *, yes: bool) -> None:
    """Return where the deletion may go on.

    Raises:
        UsageError: nobody is there to be asked, or the answer is no.
    """
    if yes:
        return
    names = " and ".join(str(folder) for folder in folders)
    if not console.is_terminal(sys.stdin):
        raise UsageError(
            f"nobody to ask whether {names} may go: give --yes, or leave --purge out", code="no-consent"
        )
    if not typer.confirm(f"Delete {console.visible(names)}, with every result, for good?", err=True):
        raise UsageError("nothing was removed", code="no-consent")
