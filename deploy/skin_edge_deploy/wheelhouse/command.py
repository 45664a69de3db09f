"""`skin-edge wheelhouse`: gather a release for devices that have no internet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption
from skin_edge.errors import UsageError

EPILOG = """\b
Targets: pi-bookworm (Raspberry Pi OS 12, Python 3.11), pi-trixie (13, 3.13), jetpack6 (3.10), each on 64
bit, and this, for machines like this one.
\b
Examples:
  skin-edge wheelhouse --target pi-bookworm --out releases/
  skin-edge wheelhouse --target pi-bookworm --sign ~/.ssh/id_ed25519
  scp releases/skin-edge-0.1.0-pi-bookworm-*.skinrelease pi@kiosk:     then on the device, without a network:
  sudo python3 skin-edge-0.1.0-pi-bookworm-*.skinrelease               where nothing is installed yet
  sudo skin-edge release install skin-edge-0.1.0-pi-bookworm-*.skinrelease
\b
Exit status: 0 gathered, 2 usage or a key that does not sign, 6 a wheel is not to be had.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EPILOG)
def wheelhouse(
    target: Annotated[str, typer.Option("--target", metavar="NAME", help="The kind of device; see below.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the release; default: the current one.")
    ] = Path(),
    wheel: Annotated[
        Path | None,
        typer.Option(
            "--wheel", metavar="FILE", help="Of skin-edge; default: built of the checkout this runs from."
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--sign",
            metavar="KEY",
            help="Sign it with this SSH key; where an agent has the key, its .pub. Devices with "
            "/etc/skin-edge/allowed_signers take signed releases only.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Gather every wheel that a device needs into one file that installs itself.

    The wheels are resolved for the device's own Python and C library. The file is installed without network,
    and without pip or python3-venv on the device.
    """
    from skin_edge_deploy.wheelhouse.gather import gather
    from skin_edge_deploy.wheelhouse.targets import find_target

    chosen = find_target(target)
    if key is not None and not key.is_file():
        raise UsageError(f"--sign {key}: no such file")
    made = gather(chosen, out, wheel=wheel, key=key, say=lambda what: console.note(f"skin-edge: {what} ..."))
    if as_json:
        console.emit_json(
            {
                "path": str(made.path),
                "identity": made.identity,
                "target": chosen.name,
                "wheels": made.wheels,
                "size_bytes": made.size_bytes,
                "signed": made.signed,
            }
        )
        return
    console.emit(
        console.visible(
            f"{made.path}: {made.wheels} wheels for {chosen.what}, {made.size_bytes / 1e6:.0f} MB"
            f"{', signed' if made.signed else ''}"
        )
    )
