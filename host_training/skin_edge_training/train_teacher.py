"""Train the teacher: its head first, then its backbones too; checkpointed every epoch and resumed."""

from __future__ import annotations

import logging
import math

import keras
import msgspec
import pandas as pd

from skin_edge.errors import UsageError
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.preprocess.spec import Normalisation, PreprocessSpec
from skin_edge_training.config import ExperimentConfig, TeacherConfig
from skin_edge_training.data.decoded import Uint8Array
from skin_edge_training.devices import all_devices
from skin_edge_training.fitting import Material, compile_settings, fit, predict_logits
from skin_edge_training.models.teacher import (
    build_teacher,
    choose_precision,
    finished,
    set_trainable,
)
from skin_edge_training.provenance import save_model
from skin_edge_training.run import Run

logger = logging.getLogger(__name__)


def teacher_stages(config: ExperimentConfig, size_px: int) -> PreprocessSpec:
    """The stages before the teacher of an experiment: its own where it has some, else the student's."""
    own = config.teacher.preprocess if config.teacher is not None else None
    return teacher_preprocess(own or config.preprocess, size_px)


def teacher_preprocess(spec: PreprocessSpec, size_px: int) -> PreprocessSpec:
    """The stages of `spec` at the teacher's size, without the last: a teacher takes RGB grey levels."""
    return msgspec.structs.replace(
        spec,
        crop_resize=msgspec.structs.replace(spec.crop_resize, size_px=size_px),
        normalisation=Normalisation(enabled=False),
    )


def train_teacher(
    config: ExperimentConfig,
    run: Run,
    decoded: Uint8Array,
    *,
    allow_leak: bool = False,
    verbose: int | str = "auto",
) -> keras.Model:
    """Train, or go on training, the teacher of `run`; return it.

    Leaves teacher.keras (32-bit layers, whatever it was trained with), teacher_history.csv and
    teacher_predictions.csv (logits on validation and test pictures) behind.

    Args:
        config: the experiment, with a `teacher`.
        run: its folder; teacher_checkpoint/ inside it is resumed from when there.
        decoded: (N, 150, 200, 3) uint8 in the order of the run's table.
        allow_leak: train on a split that leaks, too; what comes of it is stamped.
        verbose: as in `keras.Model.fit`.

    Raises:
        UsageError: the experiment describes no teacher, the split leaks, or a batch cannot be shared equally
            by the GPUs of this machine.
        ModelError: weights of a backbone are missing.
    """
    if config.teacher is None:
        raise UsageError(f"{run.path('config.yaml')} describes no teacher: add a section 'teacher'")
    run.refuse_leak(allow_leak)
    table, plan = run.table(), config.teacher
    with all_devices(plan.training.batch_size):
        material = Material.of(table, decoded, Preprocessor(teacher_stages(config, plan.size_px)))
        teacher = _fitted(config, plan, run, material, verbose)
        _predict(teacher, table, material).to_csv(
            run.path("teacher_predictions.csv"), index=False, float_format="%.7g"
        )
        save_model(teacher, run.path("teacher.keras"), run.provenance())
    return teacher


def _fitted(
    config: ExperimentConfig, plan: TeacherConfig, run: Run, material: Material, verbose: int | str
) -> keras.Model:
    keras.utils.set_random_seed(config.seed)
    precision = choose_precision(plan.mixed_precision)
    teacher = build_teacher(plan, precision=precision)
    batches = material.training_batches(config, plan.training.batch_size)
    validation = (material.inputs("validation"), material.labels_of("validation"))
    total = plan.head_epochs + plan.training.epochs
    head = msgspec.structs.replace(
        plan.training, epochs=max(1, plan.head_epochs), learning_rate=plan.head_learning_rate
    )
    phases = (
        ("head", head, range(plan.head_epochs)),
        ("whole", plan.training, range(plan.head_epochs, total)),
    )
    for name, settings, epochs in phases:
        if not epochs:
            continue
        set_trainable(teacher, backbones=name == "whole", frozen_blocks=plan.training.frozen_blocks)
        teacher.compile(**compile_settings(settings, len(batches)))
        logger.info("%s: %s of %s weights learn", name, *(f"{n:,}" for n in _weights(teacher)))
        fit(
            teacher,
            batches,
            validation,
            epochs=epochs,
            checkpoint=run.path("teacher_checkpoint") / name,
            history=run.path("teacher_history.csv"),
            verbose=verbose,
        )
    return finished(teacher, plan, precision)


def read_predictions(run: Run, part: str) -> pd.DataFrame:
    """The teacher's logits on a part: image_id, group, part, malignant, logit_teacher.

    Raises:
        UsageError: the teacher is not trained yet.
    """
    seen = pd.read_csv(run.require("teacher_predictions.csv", "teacher"))
    return seen[seen["part"] == part]


def _weights(model: keras.Model) -> tuple[int, int]:
    return sum(math.prod(v.shape) for v in model.trainable_variables), model.count_params()


def _predict(teacher: keras.Model, table: pd.DataFrame, material: Material) -> pd.DataFrame:
    parts = []
    for part in ("validation", "test"):
        columns = ["image_id", "group", "part", "malignant"]
        logits = predict_logits(teacher, material.inputs(part))
        parts.append(table.loc[material.rows[part], columns].assign(logit_teacher=logits))
    return pd.concat(parts)
