"""`skin-edge results`: look into the results log, hand it on, and look after it."""

from __future__ import annotations

import typer

from skin_edge.cli.results import exporting, keys, looking, purge, verify

EXAMPLES = """\b
Examples:
  skin-edge results list --label malignant        the newest 20 of them
  skin-edge results list --since 2026-01-31 --json | jq .probability
  skin-edge results show 019ba2c4-5e1f            all that is known of one
  skin-edge results picture 019ba2c4-5e1f -o a.png
  skin-edge results export --output results.csv   everything, for a spreadsheet
  skin-edge results export --format fhir -o results.json
  skin-edge results verify                        are log and pictures whole
  skin-edge results purge --subject P-017         delete all that is kept of one
"""

app = typer.Typer(
    help="List, show, export, check and delete what was decided.\n\nThe log is results.sqlite3 in the state "
    "directory (see 'skin-edge config show').",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

app.command("list")(looking.list_results)
app.command()(looking.show)
app.command()(looking.picture)
app.command(epilog=exporting.EPILOG)(exporting.export)
app.command(epilog=purge.EPILOG)(purge.purge)
app.command(epilog=verify.EPILOG)(verify.verify)
app.command(epilog=keys.EPILOG)(keys.keygen)
