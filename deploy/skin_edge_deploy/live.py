"""A table on the terminal, stderr, of where every host is; a line a host where that is no terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Final

from skin_edge.cli import console
from skin_edge_deploy.fleet import Fleet
from skin_edge_deploy.outcome import Outcome, Track

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_PERIOD_S: Final = 0.2
#: Below a table of more hosts than fit, the top would scroll away: the busy ones are shown.
_ENDED: Final = ("done", "unchanged", "planned", "not-tried")


class Board:
    """Shows a fleet while it is worked on."""

    def __init__(self) -> None:
        self._live: Live | None = None

    def finished(self, outcome: Outcome) -> None:
        """Say in a line what became of a host, where no table does."""
        if self._live is None and not console.is_terminal(sys.stderr):
            # Why it failed is in the summary, or in the object on stdout.
            why = f", {outcome.message}" if outcome.message and outcome.good else ""
            console.note(f"{outcome.target}: {outcome.status}{why}")

    def note(self, text: str) -> None:
        """Say a line about no host in particular, where no table shows what is done."""
        if not console.is_terminal(sys.stderr):
            console.note(f"skin-edge: {text} ...")

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Leave the screen to somebody else for a while."""
        live = self._live
        if live is None or not live.is_started:
            yield
            return
        live.stop()
        try:
            yield
        finally:
            live.start(refresh=True)

    @contextlib.asynccontextmanager
    async def shown(self, fleet: Fleet) -> AsyncIterator[None]:
        """Show the table of a fleet while the body runs, where stderr is a terminal."""
        if not console.is_terminal(sys.stderr):
            yield
            return
        from rich.console import Console
        from rich.live import Live

        screen = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._live = Live(
            console=screen,
            transient=True,
            auto_refresh=False,
            get_renderable=lambda: _table(fleet, max(1, screen.height - 5)),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with self._live as live:
            ticking = asyncio.ensure_future(_tick(live))
            try:
                yield
            finally:
                ticking.cancel()
                await asyncio.gather(ticking, return_exceptions=True)
        self._live = None


def _table(fleet: Fleet, room: int) -> Table:
    from rich import box
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    rows = list(zip(fleet.targets, fleet.tracks, strict=True))
    busy = [(target, track) for target, track in rows if track.step and track.step not in _ENDED]
    ended = sum(track.step in _ENDED or track.step == "failed" for _, track in rows)
    drawn = Table(box=box.SIMPLE_HEAD, caption=f"{ended} of {len(rows)} hosts", caption_justify="left")
    for column in ("host", "now", "upload", ""):
        drawn.add_column(column)
    for target, track in (rows if len(rows) <= room else busy)[:room]:
        bar = (
            ProgressBar(total=track.total_bytes, completed=track.sent_bytes, width=20)
            if track.total_bytes
            else Text("")
        )
        name, step = Text(console.visible(target.text)), Text(console.visible(track.step or "waits"))
        drawn.add_row(name, step, bar, Text(_amount(track)))
    return drawn


def _amount(track: Track) -> str:
    """Return how much of an upload there is, and how fast it goes; empty without one."""
    if not track.total_bytes:
        return ""
    parts = f"{track.sent_bytes / 1e6:.1f} of {track.total_bytes / 1e6:.1f} MB"
    return f"{parts}, {track.bytes_per_second / 1e6:.1f} MB/s"


async def _tick(live: Live) -> None:
    while True:
        await asyncio.sleep(_PERIOD_S)
        if live.is_started:
            live.refresh()
