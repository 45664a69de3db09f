"""`skin-edge train`: from a folder of downloads to a bundle, step by step, each step resumable.

TensorFlow takes seconds to import, so nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption
from skin_edge_training.ablation.command import ablate
from skin_edge_training.audit.command import audit
from skin_edge_training.backends import check_backend, choose_tensorflow
from skin_edge_training.evidence.command import evaluate
from skin_edge_training.options import (
    DEFAULT_CACHE,
    DEFAULT_RUN,
    AllowLeakOption,
    CacheOption,
    RunOption,
    showing,
)
from skin_edge_training.run_command import run as run_command
from skin_edge_training.teacher_command import teacher

EPILOG = """\b
The whole chain of an experiment, resumable (docs/training.md):
  skin-edge train run student.yaml
The same step by step:
  skin-edge train data        read, find twins, split by lesion, decode
  skin-edge train teacher     fit the teacher that the experiment describes
  skin-edge train student     fit; run it again to go on after an interruption
  skin-edge train quantize    to 16 bit, checked against full precision
  skin-edge train package     bundle, model card, golden vectors
  skin-edge train evaluate    any bundle on any labelled pictures: figures and report
Which choices pay (docs/ablation.md):
  skin-edge train ablate ablation.yaml --out runs/ablation
Before all that, what is in a download (docs/audit.md):
  skin-edge train data audit DIR... --out OUT
"""

app = typer.Typer(
    help="Make a student on a training host, and measure it; `run` does the whole chain.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def train() -> None:
    """Make a student on a training host, and measure it; `run` does the whole chain."""
    # TensorFlow's start-up notes would bury our own.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it says at length which instructions it lacks


data_app = typer.Typer(add_completion=False, rich_markup_mode=None)
app.add_typer(data_app, name="data")


@data_app.callback(invoke_without_command=True)
def data(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="Experiment, or a shipped one's name; default: student.yaml."
        ),
    ] = None,
    run: RunOption = DEFAULT_RUN,
    cache: CacheOption = DEFAULT_CACHE,
    as_json: JsonOption = False,
) -> None:
    """Read the sets, join copies and siblings, split by lesion, decode once.

    A set of the experiment's data.sets is a path, or a folder in $SKIN_EDGE_DATA, else in ../shared/data.
    `audit`, below, looks any folders over for copies, leaks and shortcuts.
    """
    if context.invoked_subcommand is not None:
        return
    from skin_edge_training.config import find_config, shipped_config
    from skin_edge_training.prepare import prepare
    from skin_edge_training.run import Run

    folder = Run(run)
    experiment = folder.start(find_config(config) if config else shipped_config())
    table = prepare(experiment, folder, cache, progress=showing)
    parts = table.groupby("part").agg(
        pictures=("image_id", "size"), lesions=("group", "nunique"), malignant=("malignant", "sum")
    )
    leak = folder.provenance().leak
    summary = {
        "run": str(run),
        "split_sha256": folder.split_sha256(),
        "parts": parts.to_dict("index"),
        "leak": leak,
    }
    if as_json:
        console.emit_json(summary)
        return
    rows = [
        (part, *(int(v) for v in figures)) for part, figures in zip(parts.index, parts.values, strict=True)
    ]
    console.table(f"Split in {run}", ("part", "pictures", "lesions", "malignant"), rows)


data_app.command()(audit)
app.command()(teacher)


@app.command()
def student(
    run: RunOption = DEFAULT_RUN,
    cache: CacheOption = DEFAULT_CACHE,
    allow_leak: AllowLeakOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train the student; run it again to go on after an interruption."""
    check_backend()
    from skin_edge_training.prepare import load_decoded
    from skin_edge_training.run import Run
    from skin_edge_training.train import train_student

    folder = Run(run)
    experiment = folder.config()
    model = train_student(
        experiment,
        folder,
        load_decoded(folder, cache),
        cache=cache,
        allow_leak=allow_leak,
        verbose=0 if as_json else "auto",
    )
    trained = {"student": str(folder.path("student.keras")), "weights": int(model.count_params())}
    if as_json:
        console.emit_json(trained)
    else:
        console.emit(f"{trained['student']}: {trained['weights']:,} weights")


@app.command()
def quantize(
    run: RunOption = DEFAULT_RUN, cache: CacheOption = DEFAULT_CACHE, as_json: JsonOption = False
) -> None:
    """Convert the student to 16-bit TFLite, stop if its answers moved, and measure 8 bit beside it."""
    choose_tensorflow()
    from skin_edge_training.formats import COLUMNS
    from skin_edge_training.prepare import load_decoded
    from skin_edge_training.quantize import quantize as convert
    from skin_edge_training.run import Run

    folder = Run(run)
    comparison = convert(folder.config(), folder, load_decoded(folder, cache))
    if as_json:
        console.emit_json(comparison)
    else:
        console.table("Formats of the student", COLUMNS, comparison.cells())


@app.command()
def package(
    run: RunOption = DEFAULT_RUN,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The bundle; default: RUN/bundle.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Choose thresholds on validation, measure on held-out lesions, write bundle, card and report."""
    from skin_edge_training.package import package as pack
    from skin_edge_training.run import Run

    bundle = out or run / "bundle"
    pack(Run(run), bundle)
    if as_json:
        console.emit_json({"bundle": str(bundle)})
    else:
        report = run / "evidence" / "report.html"
        console.emit(f"{bundle}: verified; the figures are in {bundle / 'MODEL_CARD.md'} and {report}")


app.command()(evaluate)
app.command()(ablate)
app.command(name="run")(run_command)
