"""The options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings file instead of the usual ones.")
]
JsonLinesOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
