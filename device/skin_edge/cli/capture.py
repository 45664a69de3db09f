"""`skin-edge capture`: frames from a source to decisions in the log, until the source or the user ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge import DISCLAIMER
from skin_edge.cli import console
from skin_edge.cli.model_options import ModelOption, OperatingPointOption, load_classifier
from skin_edge.cli.options import ConfigOption, JsonLinesOption

if TYPE_CHECKING:
    from skin_edge.camera.events import CameraEvent
    from skin_edge.capture import Listeners
    from skin_edge.config import Config
    from skin_edge.feedback import Feedback
    from skin_edge.preview import PreviewWindow
    from skin_edge.session import Session
    from skin_edge.triggers.base import Trigger

EPILOG = f"""\b
Sources:
  auto                 the first camera there is; also picamera2, v4l2:0, gst:PIPELINE
  demo                 drawn lesions, visibly synthetic; demo:SEED for others
  replay:PATH          a picture, a folder of pictures, or a video
\b
Triggers, in place of one decision after the other:
  --interval S         every S seconds
  --trigger enter      Enter, or a line from another program; Ctrl-D ends
  --trigger gpio:PIN   a button between that pin (Broadcom number) and ground
  --preview            a window: Space, Enter or a click; closing it ends
\b
Examples:
  skin-edge capture --source demo --once
  skin-edge capture --source replay:visit.mp4 --interval 2 --subject P-017 --site "left forearm"
  skin-edge capture --source replay:photos/ --json | jq .label
  skin-edge capture --trigger gpio:17 --explain maps/     a button, and where the network looked
  skin-edge capture --preview --burst 5                   five frames a decision, and a window
\b
Ctrl-C ends it with 130; every decision that was shown is in the log: skin-edge results list
{DISCLAIMER}
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EPILOG)
def capture(
    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="SOURCE", help="Where frames come from; default: the settings', else auto."
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One decision, then end.")] = False,
    interval: Annotated[
        float | None,
        typer.Option("--interval", metavar="S", min=0.0, max=86_400.0, help="Seconds between decisions."),
    ] = None,
    trigger: Annotated[
        str | None,
        typer.Option("--trigger", metavar="enter|gpio:PIN", help="What starts a capture; see below."),
    ] = None,
    burst: Annotated[
        int | None,
        typer.Option("--burst", metavar="N", min=1, max=50, help="Frames for one decision, the best count."),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps", metavar="N", min=0.01, max=1000.0, help="Replay at this rate, not at its own pace."
        ),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="A window with the picture and a hint on focus and light.")
    ] = False,
    explain: Annotated[
        Path | None,
        typer.Option("--explain", metavar="DIR", help="Write each activation map over its picture, as PNG."),
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
    from skin_edge.burst import BurstRule
    from skin_edge.camera.source import open_source
    from skin_edge.capture import CAMERA_BURST, CaptureLoop
    from skin_edge.config import load_config
    from skin_edge.errors import ImageError, UsageError
    from skin_edge.health.monitor import MachineMonitor
    from skin_edge.results.keeping import open_keeping
    from skin_edge.sections import DEFAULT_SOURCE
    from skin_edge.session import Session

    signal.signal(signal.SIGTERM, _end_well)
    settings = load_config(config)
    if interval is not None and trigger is not None:
        raise UsageError("--interval and --trigger exclude each other: a capture has one reason to start")
    wanted = source or settings.capture.source or DEFAULT_SOURCE
    keep_images = settings.state.save_images if save_images is None else save_images
    with ExitStack() as stack:
        # First, because a decision that cannot be logged is not worth making.
        keeping = stack.enter_context(open_keeping(settings, keep_images=keep_images))
        session = Session(
            load_classifier(settings, model),
            operating_point=operating_point or settings.model.operating_point,
            thresholds=settings.quality,
            burst=BurstRule(
                best=settings.capture.best, views=settings.model.views, max_spread=settings.capture.max_spread
            ),
            keeping=keeping,
            machine=stack.enter_context(MachineMonitor.for_log(keeping.log)),
            explain_dir=explain and _made(explain),
        )
        feedback = stack.enter_context(_feedback(settings))
        window = stack.enter_context(_window(settings, session)) if preview else None
        starts = stack.enter_context(_trigger(settings, interval, trigger, window))
        frames = stack.enter_context(
            open_source(
                wanted,
                fps=fps if fps is not None else settings.capture.fps,
                camera=settings.camera,
                on_event=_report_events(),
            )
        )
        loop = CaptureLoop(
            frames,
            session,
            trigger=starts,
            burst=burst or settings.capture.burst or (CAMERA_BURST if frames.live else 1),
            subject=subject,
            site=site,
            listeners=_listeners(as_json),
            feedback=feedback,
            preview=window,
        )
        try:
            loop.run(once=once)
        finally:
            _summarise(loop.tally.summary())
    if loop.tally.failed:
        raise typer.Exit(ImageError.exit_code)


def _end_well(*_: object) -> None:
    """End on SIGTERM as a service is stopped: camera, pins and log are closed on the way out."""
    raise SystemExit(0)


def _report_events() -> Callable[[CameraEvent], None]:
    """Return what says what happens to a camera; why it cannot be opened at all, the error says."""
    opened = False

    def report(event: CameraEvent) -> None:
        nonlocal opened
        if event.kind == "opened":
            opened = True
        elif opened or event.kind == "restart":
            console.note(f"skin-edge: camera: {event.kind}: {event.cause}")

    return report


def _listeners(as_json: bool) -> Listeners:
    from skin_edge.capture import Listeners
    from skin_edge.cli.render import card

    return Listeners(
        # The row is durable here: what is printed is an acknowledgement.
        on_decision=lambda outcome: (
            console.emit_json(outcome.record) if as_json else console.emit(card(outcome.record))
        ),
        on_image_error=lambda error: console.report_image_error(error, as_json=as_json),
    )


def _trigger(
    settings: Config, interval: float | None, trigger: str | None, window: PreviewWindow | None
) -> Trigger:
    """Return what starts a capture: the options, else the settings; a window is heard beside a trigger."""
    from skin_edge.triggers.base import AnyOf
    from skin_edge.triggers.interval import IntervalTrigger
    from skin_edge.triggers.open import open_trigger

    chosen = trigger if trigger is not None or interval is not None else settings.capture.trigger
    if chosen is not None:
        opened = open_trigger(chosen)
        return opened if window is None else AnyOf((window, opened))
    seconds = settings.capture.interval_s if interval is None else interval
    if window is None:
        return IntervalTrigger(seconds)
    return AnyOf((window, IntervalTrigger(seconds))) if seconds or interval is not None else window


def _window(settings: Config, session: Session) -> PreviewWindow:
    from skin_edge.preview import PreviewWindow

    return PreviewWindow(settings.quality, session.crop_fraction)


def _feedback(settings: Config) -> Feedback:
    from skin_edge.feedback import Feedback, GpioFeedback

    pins = settings.feedback
    if pins.led_pin is None and pins.buzzer_pin is None:
        return Feedback()
    return GpioFeedback(pins.led_pin, pins.buzzer_pin)


def _made(folder: Path) -> Path:
    """Return a folder for activation maps, made where there is none."""
    from skin_edge.explain import make_folder

    return make_folder(folder)


def _summarise(told: str | None) -> None:
    """Say at the end what was refused and why, so that no refusal is silent."""
    if told is not None:
        console.note(f"skin-edge: {told}")
