"""Options that several `skin-edge train` commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console

RunOption = Annotated[
    Path, typer.Option("--run", metavar="DIR", help="Folder of this run: what a step leaves for the next.")
]
CacheOption = Annotated[Path, typer.Option("--cache", metavar="DIR", help="Folder for decoded pictures.")]
AllowLeakOption = Annotated[
    bool,
    typer.Option(
        "--allow-leak", help="Train though test lesions are in training; all that comes of it is stamped."
    ),
]

DEFAULT_RUN = Path("runs/student")
DEFAULT_CACHE = Path("cache")


def showing(items: range, description: str) -> Iterator[int]:
    """Progress on the terminal."""
    return console.progress(items, len(items), description)
