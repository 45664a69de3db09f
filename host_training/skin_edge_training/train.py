"""Train the student: checkpointed every epoch, resumed where it stopped, figures in a csv."""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np

from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge_training.config import ExperimentConfig, TrainingConfig
from skin_edge_training.data.batches import TrainingBatches, plain_inputs
from skin_edge_training.data.decoded import Uint8Array
from skin_edge_training.models.student import build_student, freeze_front, logit_model
from skin_edge_training.run import Run

logger = logging.getLogger(__name__)


class _SetEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Tell the batches which epoch it is, also after a resume."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches.epoch = epoch


def optimizer(config: TrainingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """AdamW with a linear warm-up and a cosine decay to a hundredth of the peak."""
    total = steps_per_epoch * config.epochs
    warmup = int(total * config.warmup_fraction)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate * 0.05,
        warmup_target=config.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(1, total - warmup),
        alpha=0.01,
    )
    made = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay)
    made.exclude_from_weight_decay(var_names=["beta", "gamma", "bias"])
    return made


def train_student(
    config: ExperimentConfig, run: Run, decoded: Uint8Array, *, verbose: int | str = "auto"
) -> keras.Model:
    """Train, or go on training, the student of `run`; return it and leave student.keras behind.

    Args:
        config: the experiment.
        run: its folder; checkpoint/ inside it is resumed from when there.
        decoded: (N, 150, 200, 3) uint8 in the order of the run's table.
        verbose: as in `keras.Model.fit`.
    """
    table = run.table()
    keras.utils.set_random_seed(config.seed)
    preprocessor = Preprocessor(config.preprocess)
    student = build_student(config.student, config.preprocess.crop_resize.size_px)
    labels = table["malignant"].to_numpy(np.float32)
    rows = {part: np.flatnonzero(table["part"] == part) for part in ("train", "validation")}
    batches = TrainingBatches(
        decoded,
        rows["train"],
        labels,
        preprocessor,
        config.augmentation,
        batch_size=config.training.batch_size,
        seed=config.seed,
    )
    if config.training.frozen_blocks is not None:
        freeze_front(student, config.training.frozen_blocks)
    model = logit_model(student)
    model.compile(
        optimizer=optimizer(config.training, len(batches)),
        loss=keras.losses.BinaryCrossentropy(
            from_logits=True, label_smoothing=config.training.label_smoothing
        ),
        metrics=[keras.metrics.AUC(from_logits=True, name="auroc")],
        jit_compile=False,
    )
    logger.info("%s weights, %d training pictures", f"{student.count_params():,}", len(rows["train"]))
    model.fit(
        batches,
        epochs=config.training.epochs,
        validation_data=(plain_inputs(decoded, rows["validation"], preprocessor), labels[rows["validation"]]),
        validation_batch_size=128,
        verbose=verbose,
        callbacks=[
            _SetEpoch(batches),
            keras.callbacks.BackupAndRestore(str(run.path("checkpoint")), delete_checkpoint=False),
            keras.callbacks.CSVLogger(str(run.path("history.csv")), append=True),
        ],
    )
    student.save(run.path("student.keras"))
    return student
