"""What training a student and training a teacher share: data, optimizer, and a fit that survives a kill."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge_training.config import ExperimentConfig, TrainingConfig
from skin_edge_training.data.batches import TrainingBatches, plain_inputs
from skin_edge_training.data.decoded import Uint8Array
from skin_edge_training.devices import sharing

logger = logging.getLogger(__name__)

EVALUATION_BATCH = 128


@dataclass(frozen=True, slots=True)
class Material:
    """The pictures of a run as one network sees them.

    Attributes:
        decoded: (N, 150, 200, 3) uint8 in the order of the run's table.
        labels: (N,) float32, 1 is malignant.
        rows: row numbers of the table by part of the split.
        preprocessor: the stages between a picture and this network's input.
    """

    decoded: Uint8Array
    labels: npt.NDArray[np.float32]
    rows: dict[str, npt.NDArray[np.int64]]
    preprocessor: Preprocessor

    @classmethod
    def of(cls, table: pd.DataFrame, decoded: Uint8Array, preprocessor: Preprocessor) -> Material:
        """The pictures of a run's table."""
        rows = {str(part): np.flatnonzero(table["part"] == part) for part in table["part"].unique()}
        return cls(decoded, table["malignant"].to_numpy(np.float32), rows, preprocessor)

    def training_batches(self, config: ExperimentConfig, batch_size: int) -> TrainingBatches:
        """Augmented batches of the training part; networks of any input size get the same views."""
        return TrainingBatches(
            self.decoded,
            self.rows["train"],
            self.labels,
            self.preprocessor,
            config.augmentation,
            batch_size=batch_size,
            seed=config.seed,
        )

    def inputs(self, part: str) -> npt.NDArray[np.float32]:
        """(n, S, S, 3) float32: the part's pictures as a device hands them to the network."""
        return plain_inputs(self.decoded, self.rows[part], self.preprocessor)

    def labels_of(self, part: str) -> npt.NDArray[np.float32]:
        """(n, 1) float32 in the order of `inputs`."""
        return self.labels[self.rows[part]][:, None]


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


def compile_settings(config: TrainingConfig, steps_per_epoch: int) -> dict[str, Any]:
    """Arguments of `compile` for a network whose output is one logit."""
    return {
        "optimizer": optimizer(config, steps_per_epoch),
        "loss": keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing),
        "metrics": [keras.metrics.AUC(from_logits=True, name="auroc")],
        # Without it Keras on JAX takes the step operation by operation.
        "jit_compile": keras.backend.backend() == "jax",
    }


class SetEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Tell the batches which epoch it is, also after a resume."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches.epoch = epoch


def fit(
    model: keras.Model,
    batches: TrainingBatches,
    validation: tuple[Any, npt.NDArray[np.float32]],
    *,
    epochs: range,
    checkpoint: Path,
    history: Path,
    verbose: int | str,
    before: tuple[keras.callbacks.Callback, ...] = (),
) -> None:
    """Fit a compiled model for `epochs`, or what is left of them after an interruption.

    Args:
        model: compiled; its weights are those of the last finished epoch where `checkpoint` holds one.
        batches: training batches, told of each epoch before it begins.
        validation: inputs (an array, or arrays by name) and (n, 1) labels. Where devices share batches, up to
            devices - 1 pictures at its end are left out of the figures of an epoch.
        epochs: epoch numbers as in the csv and as the random views are seeded with.
        checkpoint: folder to resume from; two generations, since a kill can fall into the writing of one.
        history: csv that a line is added to after each epoch.
        verbose: as in `keras.Model.fit`.
        before: callbacks that come first.
    """
    devices = sharing()
    inputs, labels = validation
    count = len(labels) - len(labels) % devices
    if count < len(labels):
        logger.info("figures of an epoch: %d of %d validation pictures", count, len(labels))
    model.fit(
        batches,
        epochs=epochs.stop,
        initial_epoch=epochs.start,
        shuffle=False,  # the batches are shuffled, by the run's seed; Keras would order them by a global one
        validation_data=(keras.tree.map_structure(lambda array: array[:count], inputs), labels[:count]),
        validation_batch_size=_shared(EVALUATION_BATCH, devices),
        verbose=verbose,
        callbacks=[
            SetEpoch(batches),
            *before,
            keras.callbacks.BackupAndRestore(
                str(checkpoint), double_checkpoint=True, delete_checkpoint=False
            ),
            keras.callbacks.CSVLogger(str(history), append=True),
        ],
    )


def predict_logits(model: keras.Model, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n,) float32: what a network with one logit says of (n, S, S, 3) inputs, on any number of devices."""
    devices = sharing()
    missing = -len(inputs) % devices
    padded = np.concatenate([inputs, inputs[:1].repeat(missing, axis=0)]) if missing else inputs
    logits = model.predict(padded, batch_size=_shared(EVALUATION_BATCH, devices), verbose=0)
    return np.asarray(logits[: len(inputs), 0], np.float32)


def _shared(batch_size: int, devices: int) -> int:
    """The largest batch up to `batch_size` that `devices` can share, at least one picture each."""
    return max(devices, batch_size - batch_size % devices)
