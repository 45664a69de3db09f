"""`skin-edge service`: have systemd start the kiosk at boot and keep it running."""

from __future__ import annotations

import typer

from skin_edge.cli.service import installing, removing, status

EXAMPLES = """\b
Examples:
  skin-edge service install --dry-run             what would change, file by file
  sudo skin-edge service install                  start now and at every boot
  skin-edge service status                        units, health, restarts, watchdog
  sudo skin-edge service uninstall                keeps the results
"""

app = typer.Typer(
    help="Have systemd start the kiosk at boot and keep it running.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

app.command(epilog=installing.EPILOG)(installing.install)
app.command(epilog=removing.EPILOG)(removing.uninstall)
app.command(epilog=status.EPILOG)(status.status)
app.command(epilog=status.WAIT_EPILOG)(status.wait)
