"""`skin-edge release`: install releases of skin-edge itself, and change which one is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption

EXAMPLES = """\b
Examples:
  skin-edge release verify /media/usb/skin-edge-1.1.0-pi-bookworm-1f0c.skinrelease
  sudo skin-edge release install /media/usb/skin-edge-1.1.0-pi-bookworm-1f0c.skinrelease
  skin-edge release list                          what is installed, and which one is in use
  sudo skin-edge release rollback                 the one before, again
\b
Release files are made on a workstation by 'skin-edge wheelhouse'. On a device without skin-edge they
install themselves: sudo python3 FILE.skinrelease
\b
Exit status: 0 done, 2 usage (not root, another kind of machine), 5 storage, 6 not installed, or taken back
and the old release is in use again.
"""

INSTALL_EPILOG = """\b
What is done, in this order, each step before the next; of the file, nothing runs before it was checked:
  its signature, where this device has /etc/skin-edge/allowed_signers
  whether it is for this machine, and the SHA-256 of every file, while it is unpacked
  an environment of its own, its wheels, its golden vectors; all of it flushed to the disk
  the switch; its units; the service started anew and asked for a classified frame
  where that fails, the old release and its units again, and the reason
  the oldest releases above --keep
\b
A power cut at any moment leaves the old release in use or the new one; the same command again finishes.
\b
Examples:
  sudo skin-edge release install skin-edge-1.1.0-pi-bookworm-1f0c.skinrelease
  sudo skin-edge release install new.skinrelease --json --wait 600
  skin-edge release install new.skinrelease --prefix ~/skin-edge --no-service
"""

app = typer.Typer(
    help="Install releases of skin-edge itself, and change which one is in use.\n\nThey lie side by side in "
    "/opt/skin-edge/releases, each with all that it needs.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A .skinrelease file.")]
PrefixOption = Annotated[
    Path | None,
    typer.Option("--prefix", metavar="DIR", help="Where releases are; default: /opt/skin-edge."),
]
NoServiceOption = Annotated[
    bool, typer.Option("--no-service", help="Leave systemd and /usr/local/bin alone; needs no root.")
]
WaitOption = Annotated[
    float,
    typer.Option("--wait", min=0.0, metavar="SECONDS", help="How long to wait for another installation."),
]
SignersOption = Annotated[
    Path | None,
    typer.Option(
        "--allowed-signers",
        metavar="FILE",
        help="Whose signatures count (ssh-keygen(1)); default: /etc/skin-edge/allowed_signers, if there.",
    ),
]


@app.command(epilog=INSTALL_EPILOG)
def install(
    file: FileArgument,
    keep: Annotated[int, typer.Option("--keep", min=1, metavar="N", help="Releases kept.")] = 3,
    allowed_signers: SignersOption = None,
    wait: WaitOption = 60.0,
    no_service: NoServiceOption = False,
    prefix: PrefixOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a release file, install it beside the others, and put it to use."""
    _run(
        "install", prefix, as_json,
        file=file, keep=keep, allowed_signers=allowed_signers, wait_s=wait, service=not no_service,
    )  # fmt: skip


@app.command("list")
def list_releases(prefix: PrefixOption = None, as_json: JsonOption = False) -> None:
    """List what is installed, the oldest first, and which one is in use."""
    _run("list", prefix, as_json)


@app.command()
def activate(
    identity: Annotated[str, typer.Argument(metavar="ID", help="As 'release list' shows it.")],
    wait: WaitOption = 60.0,
    no_service: NoServiceOption = False,
    prefix: PrefixOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put an installed release to use; where it classifies no frame, the old one again."""
    _run("activate", prefix, as_json, identity=identity, wait_s=wait, service=not no_service)


@app.command()
def rollback(
    wait: WaitOption = 60.0,
    no_service: NoServiceOption = False,
    prefix: PrefixOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the release to use that was in use before; a second time returns to this one."""
    _run("rollback", prefix, as_json, wait_s=wait, service=not no_service)


@app.command()
def recover(
    no_service: NoServiceOption = False, prefix: PrefixOption = None, as_json: JsonOption = False
) -> None:
    """Undo a switch that a power cut left unconfirmed; the device does so at every boot.

    Does nothing while an installation runs: what that has switched is on trial.
    """
    _run("recover", prefix, as_json, service=not no_service)


@app.command()
def verify(file: FileArgument, allowed_signers: SignersOption = None, as_json: JsonOption = False) -> None:
    """Compare every file of a release with its SHA-256, check who signed it, and change nothing."""
    _run("verify", None, as_json, file=file, allowed_signers=allowed_signers)


def _run(action: str, prefix: Path | None, as_json: bool, **asked: Any) -> None:
    from skin_edge.release.command import lines
    from skin_edge.release.operations import Request, perform
    from skin_edge.release.store import PREFIX, ReleaseStore

    answer = perform(
        Request(
            action,
            ReleaseStore((prefix or PREFIX).expanduser().absolute()),
            lambda text: console.note(f"skin-edge: {text}"),
            **asked,
        )
    )
    if as_json:
        console.emit_json(answer.told)
    elif answer.error is None:
        for line in lines(action, answer):
            console.emit(console.visible(line))
    if answer.error is not None:
        raise answer.error
