"""`skin-edge service status` and `wait`: how the service is, and until it is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import ConfigOption, JsonOption
from skin_edge.errors import HealthError, UsageError

if TYPE_CHECKING:
    from skin_edge.service.report import UnitReport

EPILOG = """\b
Asks systemd for the units and the page for /healthz: healthy is a service that runs and
has classified a frame within kiosk.healthy_s.
\b
Examples:
  skin-edge service status
  skin-edge service status --json | jq .health
  journalctl -u skin-edge -n 50                   what it said
\b
Exit status: 0 healthy, 2 no systemd, 6 not healthy or not installed.
"""

WAIT_EPILOG = """\b
For scripts, and for the unit of the display: returns as soon as /healthz says that a
frame was classified lately.
\b
Examples:
  skin-edge service wait --timeout 120 && echo healthy
  skin-edge service wait --timeout 300 --any-answer-after 60
\b
Exit status: 0 healthy (or any answer, where that is enough), 6 not in time.
"""


def status(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Say whether the service runs and is healthy."""
    from skin_edge.config import load_config
    from skin_edge.service.report import report
    from skin_edge.service.unit import systemd_runs

    if not systemd_runs():
        raise UsageError("systemd does not run this machine: there is no service here", code="no-systemd")
    told = report(load_config(config).kiosk)
    if as_json:
        console.emit_json(told)
    else:
        _draw_unit(told.service)
        if told.display is not None:
            _draw_unit(told.display)
        word = "healthy" if told.health.ok else "NOT HEALTHY"
        console.emit(console.visible(f"health   {word}: {told.health.message} ({told.health.url}healthz)"))
    if not told.ok:
        raise typer.Exit(HealthError.exit_code)


def wait(
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=0.0, max=86_400.0, help="Seconds to wait at most.")
    ] = 120.0,
    any_answer_after: Annotated[
        float | None,
        typer.Option(
            "--any-answer-after",
            metavar="S",
            min=0.0,
            help="Seconds after which a page that says it is not healthy is enough.",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Wait until the page is healthy."""
    from skin_edge.config import load_config
    from skin_edge.service import endpoint

    url = endpoint.page_url(load_config(config).kiosk)
    health = endpoint.wait(url, timeout, any_answer_after)
    enough = health.ok or (any_answer_after is not None and health.status is not None)
    if as_json:
        console.emit_json({"ok": health.ok, "url": url, "http": health.status, "message": health.why})
    elif enough:
        console.emit(console.visible(f"{'healthy' if health.ok else 'not healthy'}: {health.why}"))
    if not enough:
        if as_json:
            raise typer.Exit(HealthError.exit_code)
        raise HealthError(f"not healthy after {timeout:g} s: {health.why}", code="not-healthy")


def _draw_unit(unit: UnitReport) -> None:
    lines = [
        f"{unit.name}: {unit.state}, {unit.enabled}",
        f"  {unit.status:7}{unit.message}",
    ]
    if unit.fix:
        lines.append(f"  ->     {unit.fix}")
    if unit.since:
        lines.append(f"  since  {unit.since}, process {unit.pid or '-'}")
    if unit.watchdog_s is not None:
        fed = unit.last_beat or "not yet"
        lines.append(f"  watchdog of {unit.watchdog_s:g} s, last fed {fed}")
    if unit.says:
        lines.append(f"  says   {unit.says}")
    console.emit("\n".join(console.visible(line) for line in lines))
