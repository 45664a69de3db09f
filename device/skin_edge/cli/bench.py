"""`skin-edge bench`: what a frame costs on this machine, cold, warm, and after minutes at full speed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.model_options import ModelOption
from skin_edge.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from skin_edge.health.bench.measure import Spread
    from skin_edge.health.bench.report import Report
    from skin_edge.health.bench.sustained import Sustained

EPILOG = """\b
Measured are
  steps       quality gate, each stage that the model has on, normalisation, network,
              decision, and the row in a log: p50, p95, max
  cold start  new processes up to their first result, beside a bare import of numpy,
              OpenCV and the runtime
  sustained   capture's loop at full speed, with temperature, frequency and memory every
              second: a board that throttles shows after five to ten minutes
\b
The real results log is never touched: rows go to a folder beside it, on the same
disk, so that flushing costs what it costs, and the folder is removed at the end.
\b
Examples:
  skin-edge bench
  skin-edge bench --minutes 10 --plot bench.svg      does it throttle, and what does it cost
  skin-edge bench --source replay:photos/ --size 1280x720
  skin-edge bench --no-cold --minutes 0 --json | jq .steps.invoke.p50_ms
\b
Stop other work first: every millisecond that something else takes is in the figures.
Exit status: 0 done, 2 usage, 3 camera, 4 model, 5 storage; 130 Ctrl-C, which still prints
what was measured until then.
"""

#: Enough for a bar to be read; a shorter run shows none.
_DEFAULT_MINUTES = 0.25

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EPILOG)
def bench(
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="SOURCE", help="As of capture; default: drawn lesions in memory."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size", metavar="WxH", help="Frame size in pixels; default: 1920x1080 or the source's."
        ),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(
            "--minutes", metavar="M", min=0.0, max=1440.0, help="Time at full speed; 0 leaves it out."
        ),
    ] = _DEFAULT_MINUTES,
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", min=1, max=100_000, help="How often each step is timed.")
    ] = 100,
    cold: Annotated[
        bool,
        typer.Option("--cold/--no-cold", help="Measure cold starts, about ten seconds, or leave them out."),
    ] = True,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.svg", help="Draw latency, temperature and frequency over time."),
    ] = None,
    as_json: JsonOption = False,
    model: ModelOption = None,
    config: ConfigOption = None,
) -> None:
    """Measure steps, cold start, sustained rate and memory on this machine."""
    from skin_edge.cli.model_options import load_classifier
    from skin_edge.config import load_config
    from skin_edge.errors import UsageError
    from skin_edge.health.bench.run import run_bench

    wanted = _parse_size(size)
    if plot is not None:
        if plot.suffix.lower() != ".svg":
            raise UsageError(f"--plot {plot}: it is an SVG picture; name a file that ends in .svg")
        if minutes == 0:
            raise UsageError("--plot draws the time at full speed, which --minutes 0 leaves out")
        if not plot.absolute().parent.is_dir():
            raise UsageError(f"--plot {plot}: there is no folder {plot.absolute().parent}")
    settings = load_config(config)
    report = run_bench(
        settings,
        load_classifier(settings, model),
        source=source,
        size=wanted,
        seconds=minutes * 60,
        rounds=rounds,
        cold=cold,
        progress=_bar,
    )
    if plot is not None and report.sustained is not None:
        _write_plot(plot, report, report.sustained)
    if as_json:
        console.emit_json(report)
    else:
        _draw(report)
    if report.sustained is not None and report.sustained.interrupted:
        raise typer.Exit(130)


def _parse_size(text: str | None) -> tuple[int, int] | None:
    from skin_edge.errors import UsageError

    if text is None:
        return None
    match = re.fullmatch(r"(\d{2,5})[xX](\d{2,5})", text)
    if not match or not (16 <= int(match[1]) <= 20_000 and 16 <= int(match[2]) <= 20_000):
        raise UsageError(f"--size {text!r}: expected WIDTHxHEIGHT in pixels, as in 1280x720")
    return int(match[1]), int(match[2])


@contextmanager
def _bar(what: str, total: float) -> Iterator[Callable[[float], object]]:
    """Give what is called with the part that is done; on a terminal, stderr shows it with the time left."""
    if not console.is_terminal(sys.stderr):
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    screen = Console(stderr=True, markup=False, highlight=False)
    with Progress(
        *columns,
        console=screen,
        transient=True,
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _write_plot(path: Path, report: Report, sustained: Sustained) -> None:
    from skin_edge.durable import PUBLIC_MODE, replacing
    from skin_edge.faults import storage_faults
    from skin_edge.health.bench.plot import plot

    machine = report.machine
    title = f"{report.model} on {machine.board or machine.architecture}, {report.width} x {report.height}"
    with storage_faults(path, "write the plot"), replacing(path.absolute(), PUBLIC_MODE) as stream:
        stream.write(plot(sustained, title).encode("utf-8"))
    console.note(f"plot in {path}")


def _draw(report: Report) -> None:
    machine = report.machine
    console.emit(
        console.visible(
            f"{report.model} on {machine.board or machine.architecture} ({machine.cores} cores, "
            f"{machine.runtime}, OpenCV {machine.opencv}), runtime threads: {report.threads}, "
            f"{report.source} of {report.width} x {report.height}"
        )
    )
    console.emit("")
    console.table("", ("step", "p50 ms", "p95 ms", "max ms"), _rows(report.steps))
    if report.cold is not None:
        cold = report.cold
        rows = cold.steps | {
            "nothing to first result": cold.total,
            "skin-edge classify, whole": cold.command,
            "bare import, for comparison": cold.bare_import,
        }
        console.emit("")
        console.table("", ("cold start", "p50 ms", "p95 ms", "max ms"), _rows(rows))
        console.emit(
            f"  the first of them {cold.first_ms:.0f} ms; classify / bare import {cold.command_ratio:.2f}"
        )
    if report.sustained is not None:
        console.emit("")
        for name, text in _sustained_lines(report.sustained):
            console.emit(f"  {name:<12}  {text}")
    console.emit(f"  {'peak memory':<12}  {report.peak_mb:.0f} MB" + _cold_memory(report))


def _rows(spreads: dict[str, Spread]) -> list[tuple[object, ...]]:
    def shown(value: float) -> str:
        return f"{value:.0f}" if value >= 100 else f"{value:.2f}"

    return [
        (name.replace("_", " "), *(_right(shown(v)) for v in (s.p50_ms, s.p95_ms, s.max_ms)))
        for name, s in spreads.items()
    ]


def _right(text: str) -> str:
    return f"{text:>8}"


def _cold_memory(report: Report) -> str:
    return "" if report.cold is None else f" here, {report.cold.peak_mb:.0f} MB up to a first result"


def _sustained_lines(run: Sustained) -> list[tuple[str, str]]:
    latency, samples = run.latency, run.samples
    early = " (interrupted)" if run.interrupted else ""
    lines = [
        (
            "sustained",
            f"{run.frames_per_s:.1f} frames/s for {run.seconds:.0f} s{early}, {run.frames} rows durable",
        ),
        ("latency", f"p50 {latency.p50_ms:.2f}, p95 {latency.p95_ms:.2f}, max {latency.max_ms:.2f} ms"),
        ("steadiness", f"median of the last tenth / first tenth {run.slowdown:.2f}"),
    ]
    heat = [s.temperature_c for s in samples if s.temperature_c is not None]
    if heat:
        lines.append(("temperature", f"{heat[0]:.1f} °C at first, {max(heat):.1f} °C at most"))
    speed = [s.cpu_mhz for s in samples if s.cpu_mhz is not None]
    if speed:
        lines.append(("CPU", f"{min(speed):.0f} to {max(speed):.0f} MHz"))
    told = [s for s in samples if s.throttled is not None or s.under_voltage is not None]
    if told:
        slowed = sum(bool(s.throttled) for s in samples)
        low = sum(bool(s.under_voltage) for s in samples)
        lines.append(("throttling", f"{slowed} of {len(samples)} seconds; under-voltage in {low}"))
    if not heat and not told:
        lines.append(("machine", "tells neither temperature nor throttling"))
    lines.append(
        ("memory", f"{samples[0].resident_mb:.1f} MB at first, {samples[-1].resident_mb:.1f} MB at last")
    )
    return lines
