"""`skin-edge results keygen`: a key for at-rest encryption."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption

EPILOG = """\b
Examples:
  skin-edge results keygen /etc/skin-edge/results.key
  then in the settings:  encryption: {key_file: /etc/skin-edge/results.key}
\b
Rows and pictures from then on are encrypted: subject, site and the pictures. Earlier ones
stay as they are. To change the key, make a new one and name the old one in
encryption.old_key_files. Keep a copy of the key elsewhere: without it, subjects, sites and
pictures are lost for good; labels, probabilities and all else can still be read.
"""


def keygen(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make; it must not exist.")],
    as_json: JsonOption = False,
) -> None:
    """Make a key for the encryption of subjects, sites and pictures."""
    from skin_edge.results.keys import write_new_key

    key = write_new_key(path)
    if as_json:
        console.emit_json({"key_file": str(path.absolute()), "key_id": key.id})
    else:
        console.emit(f"key {key.id} written to {console.visible(str(path.absolute()))}")
        console.note("keep a copy of it elsewhere: what it encrypts is lost without it")
