"""`skin-edge model`: look at bundles, prove them, and change which one is in use."""

from __future__ import annotations

import typer

from skin_edge.cli.model import looking, storing

EXAMPLES = """\b
Examples:
  skin-edge model info                            the model in use: origin, accuracy, thresholds
  skin-edge model info new-1.2.0.skinmodel --json | jq .manifest.metrics
  skin-edge model verify new-1.2.0.skinmodel      does it do here what it did where it was made
  skin-edge model install /media/usb/new-1.2.0.skinmodel --activate
  skin-edge model list                            what is installed, and which one is in use
  skin-edge model rollback                        the one before, again
\b
Exit status: 0 done, 2 usage, 4 a bundle that must not be used, 5 storage, 6 it did not work and the old model
is in use again.
"""

app = typer.Typer(
    help="Look at model bundles, prove them, and change which one is in use.\n\nInstalled bundles are in the "
    "folder models of the state directory (see 'skin-edge config show').",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

app.command()(looking.info)
app.command()(looking.verify)
app.command(epilog=storing.INSTALL_EPILOG)(storing.install)
app.command("list")(storing.list_models)
app.command()(storing.activate)
app.command()(storing.rollback)
app.command()(storing.recover)
