"""Train the student: checkpointed every epoch, resumed where it stopped, figures in a csv."""

from __future__ import annotations

import logging
from pathlib import Path

import keras

from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge_training.config import ExperimentConfig
from skin_edge_training.data.decoded import Uint8Array
from skin_edge_training.devices import all_devices
from skin_edge_training.distill import fit_distilled
from skin_edge_training.fitting import Material, compile_settings, fit
from skin_edge_training.models.efficientnet_lite import freeze_front
from skin_edge_training.models.student import build_student, logit_model
from skin_edge_training.provenance import save_model
from skin_edge_training.run import Run

logger = logging.getLogger(__name__)


def train_student(
    config: ExperimentConfig,
    run: Run,
    decoded: Uint8Array,
    *,
    cache: Path | None = None,
    allow_leak: bool = False,
    verbose: int | str = "auto",
) -> keras.Model:
    """Train, or go on training, the student of `run`; return it and leave student.keras behind.

    With `config.distillation` it learns from a teacher too. Its initial weights and the views that it sees
    are the same with and without, so that a run without is the control arm of a run with.

    Args:
        config: the experiment.
        run: its folder; checkpoint/ inside it is resumed from when there.
        decoded: (N, 150, 200, 3) uint8 in the order of the run's table.
        cache: folder for the teacher's logits, which runs can share; default: the run's own.
        allow_leak: train on a split that leaks, too; what comes of it is stamped.
        verbose: as in `keras.Model.fit`.

    Raises:
        UsageError: the split leaks, the teacher is missing, it has learnt from lesions that this run
            measures on, or a batch cannot be shared equally by the GPUs of this machine.
        ModelError: the teacher cannot be read.
    """
    run.refuse_leak(allow_leak)
    with all_devices(config.training.batch_size):
        student = _fitted(config, run, decoded, cache or run.path("teacher_logits"), verbose)
        save_model(student, run.path("student.keras"), run.provenance())
    return student


def _fitted(
    config: ExperimentConfig, run: Run, decoded: Uint8Array, cache: Path, verbose: int | str
) -> keras.Model:
    keras.utils.set_random_seed(config.seed)
    student = build_student(config.student, config.preprocess.crop_resize.size_px)
    if config.training.frozen_blocks is not None:
        freeze_front(student, config.training.frozen_blocks)
    model = logit_model(student)
    material = Material.of(run.table(), decoded, Preprocessor(config.preprocess))
    logger.info(
        "%s weights, %d training pictures", f"{student.count_params():,}", len(material.rows["train"])
    )
    if config.distillation is None:
        batches = material.training_batches(config, config.training.batch_size)
        model.compile(**compile_settings(config.training, len(batches)))
        fit(
            model,
            batches,
            (material.inputs("validation"), material.labels_of("validation")),
            epochs=range(config.training.epochs),
            checkpoint=run.path("checkpoint"),
            history=run.path("history.csv"),
            verbose=verbose,
        )
    else:
        fit_distilled(model, config, run, material, cache, verbose=verbose)
    return student
