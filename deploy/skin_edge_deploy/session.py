"""One run of `skin-edge deploy`: check what is wanted, go through the hosts, say what came of it."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from skin_edge.cli import console
from skin_edge.errors import HealthError
from skin_edge_deploy import report
from skin_edge_deploy.fleet import Fleet, Rules
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.live import Board
from skin_edge_deploy.outcome import Outcome
from skin_edge_deploy.package import Package
from skin_edge_deploy.ssh.asking import Asker
from skin_edge_deploy.ssh.connect import Dialer
from skin_edge_deploy.targets import Target, parse_targets
from skin_edge_deploy.visit import Visit
from skin_edge_deploy.wanted import Wanted
from skin_edge_deploy.work import Checked, check

_INTERRUPTED: Final = "it was interrupted"


def run(wanted: Wanted) -> int:
    """Do what is wanted and return the exit status.

    Raises:
        UsageError: a target or an option makes no sense.
        BundleError: the bundle must not be used; no host was touched.
        KeyboardInterrupt: Ctrl-C, after all was said.
    """
    targets = parse_targets(wanted.targets)
    # What travels lies there until the last host has it.
    with tempfile.TemporaryDirectory(prefix="skin-edge-deploy-") as scratch:
        checked = check(wanted, Path(scratch))
        outcomes, interrupted = asyncio.run(_go(wanted, targets, checked))
    _tell(wanted, outcomes, checked.package)
    if interrupted:
        console.note(
            "Interrupted. Every host runs what it ran or what it should; the same command again goes on."
        )
        raise KeyboardInterrupt
    return 0 if all(outcome.good for outcome in outcomes) else HealthError.exit_code


async def _go(wanted: Wanted, targets: Sequence[Target], checked: Checked) -> tuple[list[Outcome], bool]:
    """Go through the hosts; return their outcomes, and whether a signal ended it early."""
    limits = _limits(wanted)
    asker = Asker()
    dialer = Dialer(
        asker, limits, config=wanted.ssh_config, accept_new=wanted.accept_new, remember=not wanted.dry_run
    )
    board = Board()
    asker.suspended = board.suspended
    visit = Visit(dialer, limits, checked.work(asker, len(targets) > 1, board.note))
    fleet = Fleet(targets, visit.to, Rules(wanted.concurrency, wanted.canary, wanted.max_failures))

    def finished(outcome: Outcome) -> None:
        board.finished(outcome)
        if wanted.as_json:
            console.emit_json(report.as_object(outcome, checked.package))

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
        async with board.shown(fleet):
            return await fleet.run(), bool(signals)
    finally:
        await dialer.close()


def _limits(wanted: Wanted) -> Limits:
    usual = Limits()
    given = wanted.install_timeout_s
    return replace(
        usual,
        connect_timeout_s=wanted.connect_timeout_s,
        install_timeout_s=usual.install_timeout_s if given is None else given,
        release_timeout_s=usual.release_timeout_s if given is None else given,
    )


def _tell(wanted: Wanted, outcomes: Sequence[Outcome], parcel: Package | None) -> None:
    if wanted.as_json:
        return
    if not wanted.dry_run:
        report.show_summary(outcomes, parcel)
        return
    for outcome in outcomes:
        report.show_plan(outcome)
    console.emit(f"dry run{f' for {parcel.identity}' if parcel is not None else ''}: nothing was changed")
