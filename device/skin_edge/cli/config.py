"""`skin-edge config`: show, check and describe the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import ConfigOption, JsonOption
from skin_edge.config import config_schema, find_config, load_config
from skin_edge.errors import ConfigError
from skin_edge.strict import dump_yaml

EXAMPLES = """\b
Examples:
  skin-edge config show > config.yaml           a file to start from
  skin-edge config check ./config.yaml          before it is copied to a device
  skin-edge config schema > schema.json         for an editor that completes keys
"""

app = typer.Typer(
    help="Show, check and describe the settings.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def show(
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the settings in force.

    YAML on stdout; on stderr the file they came from and where state is kept.
    """
    settings = load_config(config)
    if as_json:
        console.emit_json(settings)
        return
    console.note(f"# from {find_config(config) or 'the built-in defaults: no file was found'}")
    console.note(f"# state is kept in {settings.state_dir()}")
    console.emit(dump_yaml(settings).rstrip("\n"))


@app.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Settings file; by default the one in force.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a settings file.

    Exit status 2 where it is wrong, with the key and the nearest right one.
    """
    found = find_config(path)
    file = str(found) if found else None
    try:
        load_config(path)
    except ConfigError as error:
        if not as_json:
            raise
        problem = {"code": error.code, "message": str(error)}
        console.emit_json({"path": file, "ok": False, "error": problem})
        raise typer.Exit(error.exit_code) from None
    if as_json:
        console.emit_json({"path": file, "ok": True})
    else:
        console.emit(
            f"{console.visible(file)}: ok" if file else "no settings file: the built-in defaults hold"
        )


@app.command()
def schema() -> None:
    """Print the JSON schema of the settings file."""
    console.emit_json(config_schema())
