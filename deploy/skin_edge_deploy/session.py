"""One run of `skin-edge deploy`: check the bundle, go through the hosts, say what came of it."""

from __future__ import annotations

import asyncio
import re
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from skin_edge.cli import console
from skin_edge.config import load_config
from skin_edge.errors import HealthError, UsageError
from skin_edge.model.locate import active_bundle_path
from skin_edge_deploy import report
from skin_edge_deploy.fleet import Fleet, Rules
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.live import Board
from skin_edge_deploy.outcome import Outcome
from skin_edge_deploy.package import Package, package
from skin_edge_deploy.push import Push
from skin_edge_deploy.ssh.asking import Asker
from skin_edge_deploy.ssh.connect import Dialer
from skin_edge_deploy.targets import Target, parse_targets

_INTERRUPTED: Final = "it was interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    targets: tuple[str, ...]
    bundle: Path | None
    config: Path | None
    dry_run: bool
    accept_new: bool
    concurrency: int
    canary: int
    max_failures: int | None
    program: str | None
    ssh_config: Path | None
    connect_timeout_s: float
    install_timeout_s: float
    as_json: bool


def run(wanted: Wanted) -> int:
    """Do what is wanted and return the exit status.

    Raises:
        UsageError: a target or an option makes no sense.
        BundleError: the bundle must not be used; no host was touched.
        KeyboardInterrupt: Ctrl-C, after all was said.
    """
    targets = parse_targets(wanted.targets)
    if wanted.program is not None and not re.fullmatch(r"/[A-Za-z0-9._+~/@-]+", wanted.program):
        raise UsageError(
            f"--skin-edge {wanted.program}: an absolute path is needed, of letters, digits and ._+~@-"
        )
    if wanted.ssh_config is not None and not wanted.ssh_config.is_file():
        raise UsageError(f"--ssh-config {wanted.ssh_config}: no such file")
    with tempfile.TemporaryDirectory(prefix="skin-edge-deploy-") as scratch:
        parcel = package(wanted.bundle or _bundle_in_use(wanted.config), Path(scratch))
    outcomes, interrupted = asyncio.run(_go(wanted, targets, parcel))
    _tell(wanted, outcomes, parcel)
    if interrupted:
        console.note(
            "Interrupted. Every host runs its old model or the new one; the same command again goes on."
        )
        raise KeyboardInterrupt
    return 0 if all(outcome.good for outcome in outcomes) else HealthError.exit_code


async def _go(wanted: Wanted, targets: Sequence[Target], parcel: Package) -> tuple[list[Outcome], bool]:
    """Go through the hosts; return their outcomes, and whether a signal ended it early."""
    limits = Limits(connect_timeout_s=wanted.connect_timeout_s, install_timeout_s=wanted.install_timeout_s)
    asker = Asker()
    dialer = Dialer(
        asker, limits, config=wanted.ssh_config, accept_new=wanted.accept_new, remember=not wanted.dry_run
    )
    push = Push(parcel, dialer, limits, wanted.program, wanted.dry_run)
    fleet = Fleet(targets, push.to, Rules(wanted.concurrency, wanted.canary, wanted.max_failures))
    board = Board(fleet)
    asker.suspended = board.suspended

    def finished(outcome: Outcome) -> None:
        board.finished(outcome)
        if wanted.as_json:
            console.emit_json(report.as_object(outcome, parcel))

    fleet.finished = finished
    signals: list[int] = []

    def interrupt(number: int) -> None:
        signals.append(number)
        # A second one ends it at once.
        asyncio.get_running_loop().remove_signal_handler(number)
        fleet.stop(_INTERRUPTED)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt, number)
    try:
        async with board.shown():
            return await fleet.run(), bool(signals)
    finally:
        await dialer.close()


def _tell(wanted: Wanted, outcomes: Sequence[Outcome], parcel: Package) -> None:
    if wanted.as_json:
        return
    if not wanted.dry_run:
        report.show_summary(outcomes, parcel)
        return
    for outcome in outcomes:
        report.show_plan(outcome)
    console.emit(f"dry run for {parcel.identity}: nothing was changed")


def _bundle_in_use(config: Path | None) -> Path:
    settings = load_config(config)
    if settings.model.path is not None:
        return Path(settings.model.path).expanduser()
    return active_bundle_path(settings.state_dir())
