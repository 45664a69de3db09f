"""`skin-edge deploy`: push a model bundle, or skin-edge itself, to devices over SSH."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge.cli.options import ConfigOption

if TYPE_CHECKING:
    from skin_edge_deploy.wanted import Wanted

EPILOG = """\b
A TARGET is [USER@]HOST[:PORT], [ADDRESS]:PORT, an alias of ~/.ssh/config, or @FILE with one a line.
\b
Keys come from the agent, ssh_config and ~/.ssh; passphrases and passwords are asked for at the terminal only.
A host whose key is not in known_hosts is refused with its fingerprint; one whose key has changed always is.
\b
On the device, `skin-edge model install --activate` proves the bundle before it is used and returns to the old
model where that fails. Interrupted anywhere, run the same command again: it finishes, uploads included.
\b
--provision makes a kiosk of a device that has Raspberry Pi OS or JetPack and SSH, and no internet. The
release that fits its Python is taken from --release, or gathered here once for all hosts of a kind, and
installed there by root, or by sudo, whose password is asked for at the terminal. Again it upgrades; settings and models
are kept. --sudoers lets the login push without a password from then on; that asks for signed releases.
\b
Examples:
  skin-edge deploy pi@bench-3 --bundle new-1.2.0.skinmodel --dry-run     what is there, what would be done
  skin-edge deploy pi@bench-3 --bundle new-1.2.0.skinmodel
  skin-edge deploy @clinics.txt --bundle new-1.2.0.skinmodel --canary 2 --max-failures 3
  skin-edge deploy @clinics.txt --bundle new-1.2.0.skinmodel --json | jq -r 'select(.error).target'
  skin-edge deploy pi@bench-3 --provision --dry-run
  skin-edge deploy pi@bench-3 --provision --device-config kiosk.yaml
  skin-edge deploy @clinics.txt --provision --release releases/ --bundle new-1.2.0.skinmodel --canary 1
  skin-edge deploy @clinics.txt --provision --release releases/ --allowed-signers signers --sudoers
\b
Exit status: 0 all hosts run what they should, 2 usage, 4 a bundle that must not be used (no host was
touched), 6 a host failed or was not tried, or a release must not be used, 130 Ctrl-C.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EPILOG)
def deploy(
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET...", help="Whom; see below.", show_default=False)
    ],
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            "-b",
            metavar="BUNDLE",
            help="A bundle directory or .skinmodel file; default: the one in use on this machine, and with "
            "--provision none.",
        ),
    ] = None,
    provision: Annotated[
        bool, typer.Option("--provision", help="Install or upgrade skin-edge itself first; see below.")
    ] = False,
    release: Annotated[
        list[Path] | None,
        typer.Option(
            "--release",
            metavar="FILE|DIR",
            help="With --provision: .skinrelease files; the one that fits is taken. May be repeated. "
            "Default: gathered for the host.",
            show_default=False,
        ),
    ] = None,
    device_config: Annotated[
        Path | None,
        typer.Option(
            "--device-config",
            metavar="FILE",
            help="With --provision: becomes /etc/skin-edge/config.yaml where there is none.",
        ),
    ] = None,
    allowed_signers: Annotated[
        Path | None,
        typer.Option(
            "--allowed-signers",
            metavar="FILE",
            help="With --provision: becomes /etc/skin-edge/allowed_signers where there is none.",
        ),
    ] = None,
    sudoers: Annotated[
        bool,
        typer.Option(
            "--sudoers",
            help="With --provision: let this login push signed releases and models without a password.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look and say what would be done; change nothing.")
    ] = False,
    accept_new: Annotated[
        bool,
        typer.Option(
            "--accept-new-host-key",
            help="Take the key of a host that known_hosts does not have, and remember it there.",
        ),
    ] = False,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=1000, metavar="N", help="Hosts at once.")
    ] = 10,
    canary: Annotated[
        int,
        typer.Option("--canary", min=0, metavar="N", help="The first N alone; none further if one fails."),
    ] = 0,
    max_failures: Annotated[
        int | None,
        typer.Option("--max-failures", min=1, metavar="N", help="Begin no further host once N have failed."),
    ] = None,
    program: Annotated[
        str | None,
        typer.Option(
            "--skin-edge", metavar="PATH", help="skin-edge on the hosts; default: it is looked for."
        ),
    ] = None,
    ssh_config: Annotated[
        Path | None,
        typer.Option("--ssh-config", metavar="FILE", help="Instead of ~/.ssh/config."),
    ] = None,
    connect_timeout: Annotated[
        float,
        typer.Option("--connect-timeout", min=1.0, metavar="SECONDS", help="To be logged in to a host."),
    ] = 20.0,
    install_timeout: Annotated[
        float | None,
        typer.Option(
            "--install-timeout",
            min=10.0,
            metavar="SECONDS",
            help="For a host to install it. [default: 900; of a release 3600]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a host on stdout.")] = False,
    config: ConfigOption = None,
) -> None:
    """Push a model bundle to devices over SSH, and put it to use there; with --provision skin-edge itself."""
    from skin_edge_deploy.session import run
    from skin_edge_deploy.wanted import Wanted

    # asyncssh tells of every connection, and of every key that it tries.
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    wanted: Wanted = Wanted(
        targets=tuple(targets),
        bundle=bundle,
        config=config,
        dry_run=dry_run,
        accept_new=accept_new,
        concurrency=concurrency,
        canary=canary,
        max_failures=max_failures,
        program=program,
        ssh_config=ssh_config,
        connect_timeout_s=connect_timeout,
        install_timeout_s=install_timeout,
        as_json=as_json,
        provision=provision,
        releases=tuple(release or ()),
        device_config=device_config,
        allowed_signers=allowed_signers,
        sudoers=sudoers,
    )
    status = run(wanted)
    if status:
        raise typer.Exit(status)
