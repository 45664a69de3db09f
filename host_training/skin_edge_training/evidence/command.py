"""`skin-edge train evaluate`: a bundle on a labelled set, through the device's code, to a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption
from skin_edge.errors import ImageError, StorageError, UsageError

if TYPE_CHECKING:
    from skin_edge_training.evidence.document import Evidence, LeftOut
    from skin_edge_training.evidence.labels import LabelledSet

#: More names than this are in metrics.json only.
MAX_NAMES = 5


def evaluate(
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="BUNDLE", help="What to measure; default: the run's own bundle."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Folder of pictures, searched to the bottom.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="CSV",
            help="Columns image_id and malignant (0 or 1); lesion_id or group; any others become subgroups. "
            "Not needed where the folder's layout tells: one folder a class, or HAM10000's.",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Measure on the test part of this run instead."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The report; default: RUN/evidence.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="TEXT", help="What the report calls the set; default: its folder."),
    ] = None,
    resamples: Annotated[
        int, typer.Option("--resamples", metavar="N", min=100, max=100_000, help="Draws of the bootstrap.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of the bootstrap.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure a bundle on labelled pictures through the device's own code; write figures and a report.

    Pictures and labels without a counterpart are named and left out, and the status is then 1.
    """
    from skin_edge_training.evidence.labels import held_out_part, labelled_by_layout, labelled_folder
    from skin_edge_training.run import Run

    if run is not None:
        if data is not None or labels is not None:
            raise UsageError("give either --run or --data with --labels, not both")
        bundle, out = bundle or run / "bundle", out or run / "evidence"
        labelled = held_out_part(Run(run))
    elif bundle is None or data is None or out is None:
        raise UsageError("give --bundle, --data and --out, with --labels where need be, or --run")
    else:
        if out.resolve().is_relative_to(data.resolve()):
            raise UsageError(f"{out} lies in {data}, where plots count as pictures; choose another --out")
        labelled = labelled_folder(labels, data) if labels is not None else labelled_by_layout(data)
    if name:
        labelled = replace(labelled, name=name)
    evidence = measure_bundle(bundle, labelled, out, resamples=resamples, seed=seed)
    if as_json:
        console.emit_json(evidence)
    else:
        _print(evidence, out)
    if evidence.left_out.count():
        raise typer.Exit(ImageError.exit_code)


def measure_bundle(
    bundle: Path, labelled: LabelledSet, out: Path, *, resamples: int = 1000, seed: int = 0
) -> Evidence:
    """Classify, measure and write the report to `out`; name on stderr what is left out.

    Raises:
        BundleError: the bundle is not one.
        UsageError: what can be read is of one class only.
        StorageError: the report cannot be written.
    """
    import msgspec

    from skin_edge.model.classifier import Classifier
    from skin_edge.session import Session
    from skin_edge_training.evidence.figures import measure
    from skin_edge_training.evidence.labels import require_both_classes
    from skin_edge_training.evidence.plots import draw_plots
    from skin_edge_training.evidence.predict import predict
    from skin_edge_training.evidence.report import report
    from skin_edge_training.evidence.tables import csv_bytes, tables

    make_output(out)
    classifier = Classifier.load(bundle)
    session = Session(classifier)
    predictions, images_sha256, unreadable = predict(session, labelled.table, progress=_classifying)
    for error in unreadable:
        console.report_image_error(error, as_json=False)
    names = tuple(str(error.image) for error in unreadable)
    left_out = msgspec.structs.replace(labelled.left_out, unreadable_images=names)
    _name_left_out(left_out)
    require_both_classes(predictions["malignant"].to_numpy(), labelled.name)
    evidence = measure(
        predictions,
        replace(labelled, left_out=left_out),
        images_sha256,
        classifier.bundle,
        seed=seed,
        resamples=resamples,
    )
    plots = draw_plots(evidence, predictions)
    content = {"predictions.csv": csv_bytes(predictions)}
    content |= {f"tables/{name}": table for name, table in tables(evidence).items()}
    content |= {f"plots/{name}": png for name, png in plots.items()}
    content["report.html"] = report(evidence, plots).encode("utf-8")
    # Last, so that a script which finds it finds the rest too.
    content["metrics.json"] = msgspec.json.format(msgspec.json.encode(evidence), indent=2) + b"\n"
    write_output(out, content)
    for plot in (out / "plots").glob("subgroup_*.png"):
        if f"plots/{plot.name}" not in content:
            plot.unlink(missing_ok=True)  # of another set, measured into the same folder before
    return evidence


def make_output(out: Path) -> None:
    """Make the folder and what is in it, so that a place that cannot be written is known before the work.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        for folder in (out, out / "tables", out / "plots"):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{out}: cannot make this folder for the report: {error.strerror}") from None


def write_output(out: Path, content: Mapping[str, bytes]) -> None:
    """Write files below `out`, each whole or not at all; those there are replaced.

    Raises:
        StorageError: the disk does not take one.
    """
    from skin_edge.durable import replacing

    for name, data in content.items():
        try:
            with replacing(out / name, mode=0o644) as stream:
                stream.write(data)
        except OSError as error:
            raise StorageError(f"{out / name}: cannot be written: {error.strerror}") from None


def _name_left_out(left_out: LeftOut) -> None:
    for what, names in (
        ("without a label", left_out.images_without_label),
        ("labelled but not in the folder", left_out.labels_without_image),
        ("labelled by a name that several files have", left_out.labels_of_several_images),
    ):
        if names:
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            count = f"{len(names)} picture{'' if len(names) == 1 else 's'}"
            console.note(f"skin-edge: {count} {what}, left out: {', '.join(names[:MAX_NAMES])}{more}")


def _print(evidence: Evidence, out: Path) -> None:
    from skin_edge_training.evidence.plots import text

    model, data = evidence.model, evidence.data
    rows = [(name, text(figure)) for name, figure in evidence.figures.items()]
    for point in evidence.operating_points:
        rows.append((f"sensitivity, {point.name}", text(point.sensitivity)))
        rows.append((f"specificity, {point.name}", text(point.specificity)))
    rows.append(("refused by the quality gate", text(evidence.quality_gate.share)))
    counts = f"{data.images:,} pictures, {data.malignant:,} malignant"
    console.emit(f"{model.name} {model.version} on {data.name}: {counts}")
    console.table("", ("figure", "value (95 % CI)"), rows)
    for caution in evidence.cautions:
        console.note(f"skin-edge: {caution}")
    console.emit(str(out / "report.html"))
    console.emit(evidence.notice)


def _classifying(rows: range) -> Iterator[int]:
    return console.progress(rows, len(rows), "classify")
