"""`skin-edge train teacher`: the large network that a student learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption
from skin_edge_training.backends import check_backend
from skin_edge_training.options import DEFAULT_CACHE, AllowLeakOption, CacheOption

DEFAULT_TEACHER_RUN = Path("runs/teacher")


def teacher(
    run: Annotated[
        Path, typer.Option("--run", metavar="DIR", help="Folder of a run whose experiment has a teacher.")
    ] = DEFAULT_TEACHER_RUN,
    cache: CacheOption = DEFAULT_CACHE,
    allow_leak: AllowLeakOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train the teacher, head first, then whole; run it again to go on after an interruption.

    The run is made by 'skin-edge train data --config FILE --run DIR' with an experiment that has a section
    'teacher', as configs/teacher_lite.yaml does.
    """
    check_backend()
    from sklearn.metrics import roc_auc_score

    from skin_edge_training.prepare import load_decoded
    from skin_edge_training.run import Run
    from skin_edge_training.train_teacher import read_predictions, train_teacher

    folder = Run(run)
    experiment = folder.config()
    model = train_teacher(
        experiment,
        folder,
        load_decoded(folder, cache),
        allow_leak=allow_leak,
        verbose=0 if as_json else "auto",
    )
    seen = read_predictions(folder, "validation")
    trained = {
        "teacher": str(folder.path("teacher.keras")),
        "weights": int(model.count_params()),
        "auroc_validation": float(roc_auc_score(seen["malignant"], seen["logit_teacher"])),
    }
    if as_json:
        console.emit_json(trained)
    else:
        console.emit(
            f"{trained['teacher']}: {trained['weights']:,} weights, "
            f"AUROC {trained['auroc_validation']:.4f} on validation lesions"
        )
