"""`skin-edge classify`: files and folders of pictures to decisions, one each, nothing logged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge import DISCLAIMER
from skin_edge.cli import console
from skin_edge.cli.model_options import ModelOption, OperatingPointOption, load_classifier
from skin_edge.cli.options import ConfigOption, JsonLinesOption

if TYPE_CHECKING:
    from skin_edge.frame import Frame
    from skin_edge.results.record import ResultRecord
    from skin_edge.session import Session

EPILOG = f"""\b
Examples:
  skin-edge classify lesion.jpg
  skin-edge classify photos/ --json > results.jsonl
  skin-edge classify lesion.jpg --explain maps/      where the network looked
\b
Exit status: 0 all classified, 1 some could not be, 2 usage, 4 model, 5 DIR not writable.
{DISCLAIMER}
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EPILOG)
def classify(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Picture files, or folders of them.")
    ],
    as_json: JsonLinesOption = False,
    explain: Annotated[
        Path | None,
        typer.Option("--explain", metavar="DIR", help="Write each activation map over its picture, as PNG."),
    ] = None,
    model: ModelOption = None,
    operating_point: OperatingPointOption = None,
    config: ConfigOption = None,
) -> None:
    """Classify pictures: benign, malignant or uncertain, with a calibrated probability."""
    from skin_edge.burst import BurstRule
    from skin_edge.camera.ahead import ReadAhead
    from skin_edge.config import load_config
    from skin_edge.errors import ImageError
    from skin_edge.frame import Frame
    from skin_edge.session import Session

    settings = load_config(config)
    session = Session(
        load_classifier(settings, model),
        operating_point=operating_point or settings.model.operating_point,
        thresholds=settings.quality,
        burst=BurstRule(views=settings.model.views),
    )
    pictures, failed = _find(paths, as_json)
    explanation = _explanation_paths(explain) if explain is not None else None
    records = []
    pairs = list(zip(pictures, (*pictures[1:], None), strict=True))
    with closing(ReadAhead()) as ahead:
        for picture, then in console.progress(pairs, len(pairs), "classify", prints=as_json):
            try:
                frame = Frame(ahead.read(picture, then), name=str(picture), source="file")
                record = _process(session, frame, explanation(picture) if explanation else None)
            except ImageError as error:
                failed += 1
                error.image = str(picture)
                console.report_image_error(error, as_json=as_json)
                continue
            if as_json:
                console.emit_json(record)
            else:
                records.append(record)
    if records:
        _print(records)
    if failed:
        raise typer.Exit(ImageError.exit_code)


def _find(paths: list[Path], as_json: bool) -> tuple[list[Path], int]:
    """Return the files that the paths stand for, and how many paths stand for none."""
    from skin_edge.camera.discover import find_images
    from skin_edge.errors import ImageError

    found, failed = [], 0
    for path in paths:
        try:
            found += find_images(path)
        except ImageError as error:
            failed += 1
            error.image = str(path)
            console.report_image_error(error, as_json=as_json)
    return found, failed


def _process(session: Session, frame: Frame, explanation: Path | None) -> ResultRecord:
    outcome = session.process(frame)
    if explanation is None:
        return outcome.record
    import msgspec

    from skin_edge.explain import save_overlay

    save_overlay(explanation, frame.pixels, outcome.prediction.activation_map, session.crop_fraction)
    return msgspec.structs.replace(outcome.record, explanation_path=str(explanation))


def _explanation_paths(folder: Path) -> Callable[[Path], Path]:
    """Return a function from picture to a path in `folder` that no other picture of this run got."""
    from skin_edge.explain import make_folder

    make_folder(folder)
    given: set[str] = set()

    def choose(picture: Path) -> Path:
        name, number = picture.stem, 1
        while name in given:
            number += 1
            name = f"{picture.stem}-{number}"
        given.add(name)
        return folder / f"{name}.png"

    return choose


def _print(records: list[ResultRecord]) -> None:
    from skin_edge.cli.render import TABLE_COLUMNS, card, table_row

    if len(records) == 1:
        console.emit(card(records[0]))
        return
    console.table("", TABLE_COLUMNS, (table_row(record) for record in records))
    console.emit(records[0].notice)
