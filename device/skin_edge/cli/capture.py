"""`skin-edge capture`: frames from a source to decisions in the log, until the source or the user ends it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge import DISCLAIMER
from skin_edge.cli import console
from skin_edge.cli.model_options import ModelOption, OperatingPointOption, load_classifier
from skin_edge.cli.options import ConfigOption, JsonLinesOption

if TYPE_CHECKING:
    from skin_edge.camera.source import FrameSource
    from skin_edge.session import Session

EPILOG = f"""\b
Sources:
  demo                 drawn lesions, visibly synthetic; demo:SEED for others
  replay:PATH          a picture, a folder of pictures, or a video
\b
Examples:
  skin-edge capture --source demo --once
  skin-edge capture --source replay:visit.mp4 --interval 2 --subject P-017 --site "left forearm"
  skin-edge capture --source replay:photos/ --json | jq .label
\b
Ctrl-C ends it with 130; every decision that was shown is in the log: skin-edge results list
{DISCLAIMER}
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EPILOG)
def capture(
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="SOURCE", help="Where frames come from; default: the settings'."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One frame, then end.")] = False,
    interval: Annotated[
        float | None,
        typer.Option("--interval", metavar="S", min=0.0, max=86_400.0, help="Seconds between decisions."),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps", metavar="N", min=0.01, max=1000.0, help="Replay at this rate, not at its own pace."
        ),
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="ID", help="Pseudonym of the person; never a name.")
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", metavar="TEXT", help="Where on the body, e.g. 'left forearm'.")
    ] = None,
    save_images: Annotated[
        bool | None,
        typer.Option("--save-images/--no-save-images", help="Keep each picture, readable by you only."),
    ] = None,
    as_json: JsonLinesOption = False,
    model: ModelOption = None,
    operating_point: OperatingPointOption = None,
    config: ConfigOption = None,
) -> None:
    """Capture frames, classify each, and log every decision."""
    from skin_edge.camera.source import open_source
    from skin_edge.config import load_config
    from skin_edge.errors import ImageError, UsageError
    from skin_edge.health.monitor import MachineMonitor
    from skin_edge.results.keeping import open_keeping
    from skin_edge.session import Session

    settings = load_config(config)
    wanted = source or settings.capture.source
    if wanted is None:
        raise UsageError("no frame source: give --source demo or --source replay:PATH, or set capture.source")
    keep_images = settings.state.save_images if save_images is None else save_images
    with ExitStack() as stack:
        # First, because a decision that cannot be logged is not worth making.
        keeping = stack.enter_context(open_keeping(settings, keep_images=keep_images))
        session = Session(
            load_classifier(settings, model),
            operating_point=operating_point or settings.model.operating_point,
            thresholds=settings.quality,
            keeping=keeping,
            machine=stack.enter_context(MachineMonitor.for_log(keeping.log)),
        )
        frames = stack.enter_context(
            open_source(wanted, fps=fps if fps is not None else settings.capture.fps)
        )
        failed = _run(
            frames,
            session,
            interval_s=settings.capture.interval_s if interval is None else interval,
            once=once,
            subject=subject,
            site=site,
            as_json=as_json,
        )
    if failed:
        raise typer.Exit(ImageError.exit_code)


def _run(
    frames: FrameSource,
    session: Session,
    *,
    interval_s: float,
    once: bool,
    subject: str | None,
    site: str | None,
    as_json: bool,
) -> int:
    """Go through the source; return how many of its pictures could not be used."""
    from skin_edge.cli.render import card
    from skin_edge.errors import ImageError

    failed = 0
    while True:
        due = time.monotonic() + interval_s
        try:
            frame = frames.read()
            if frame is None:
                return failed
            outcome = session.process(frame, subject=subject, site=site)
        except ImageError as error:
            failed += 1
            error.image = error.image or frames.text
            console.report_image_error(error, as_json=as_json)
        else:
            # The row is durable here: what is printed is an acknowledgement.
            if as_json:
                console.emit_json(outcome.record)
            else:
                console.emit(card(outcome.record))
        if once:
            return failed
        time.sleep(max(0.0, due - time.monotonic()))
