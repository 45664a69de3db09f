"""Distillation: the student sees the view that the teacher saw, and learns what the teacher said of it.

The loss is Keras' own for logits (Hinton et al. 2015), on the pair (0, z) whose softmax is the sigmoid of z,
and, where `distillation.similarity` asks for it, that of similarity.py on the features behind the logit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from skin_edge_training.config import DistillationConfig, ExperimentConfig
from skin_edge_training.data.batches import TrainingBatches
from skin_edge_training.fitting import Material, compile_settings, fit
from skin_edge_training.run import Run
from skin_edge_training.similarity import LAST_FEATURES, SimilarityDistillation
from skin_edge_training.teachers import Features, Logits, Teachers, find_teachers


class BinaryLogitsDistillation(keras.distillation.LogitsDistillation):  # type: ignore[misc]
    """`LogitsDistillation` for networks with one logit (B, 1): the divergence between (0, z) of both."""

    def __init__(self, temperature: float) -> None:
        # The loss by its name, Keras' default, would be taken of the logits without a softmax (3.12 to 3.15).
        super().__init__(temperature=temperature, loss=keras.losses.KLDivergence())

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """Return T^2 times the mean Kullback-Leibler divergence at temperature T."""
        return super().compute_loss(_two_classes(teacher_outputs), _two_classes(student_outputs), **kwargs)


def _two_classes(logit: Any) -> Any:
    return keras.ops.concatenate([keras.ops.zeros_like(logit), logit], axis=-1)


class DistillationBatches(TrainingBatches):
    """Batches of ({"image": (B, S, S, 3), "teacher_logit": (B, 1)}, (B, 1) labels).

    Where the student learns from them, "teacher_features": (B, F) too.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: (batches * B,) logits of an epoch's views, in their order, set before it begins. Some backends ask
        #: for a batch earlier, for its shapes alone.
        self.teacher_logits: Logits = np.full(len(self) * self._batch_size, np.nan, np.float32)
        #: (batches * B, F) features of the same views, where the student learns from them.
        self.teacher_features: Features | None = None

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        image, labels = super().__getitem__(number)
        start = number * self._batch_size
        logits = self.teacher_logits[start : start + len(labels)]
        said = {"image": image, "teacher_logit": logits[:, None]}
        if self.teacher_features is not None:
            said["teacher_features"] = self.teacher_features[start : start + len(labels)].astype(np.float32)
        return said, labels


class _AskTeacher(keras.callbacks.Callback):  # type: ignore[misc]
    """Have what the teacher says of an epoch's views ready before its first batch."""

    def __init__(self, teachers: Teachers, batches: DistillationBatches) -> None:
        super().__init__()
        self._teachers, self._batches = teachers, batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches.teacher_logits = self._teachers.logits_of_epoch(epoch)
        if self._batches.teacher_features is not None:
            self._batches.teacher_features = self._teachers.members[0].features_of_epoch(epoch)


def fit_distilled(
    student: keras.Model,
    config: ExperimentConfig,
    run: Run,
    material: Material,
    cache: Path,
    *,
    verbose: int | str,
) -> None:
    """Fit `student` (a model from image to one logit) as `config.distillation` says.

    Raises:
        UsageError: the teacher is missing, or has learnt from lesions that `run` measures on.
        ModelError: the teacher cannot be read.
    """
    distillation = config.distillation or DistillationConfig()
    batches = DistillationBatches(
        material.decoded,
        material.rows["train"],
        material.labels,
        material.preprocessor,
        config.augmentation,
        batch_size=config.training.batch_size,
        seed=config.seed,
    )
    teachers = find_teachers(config, run, material, cache)
    validation = {
        "image": material.inputs("validation"),
        "teacher_logit": teachers.logits_of("validation")[:, None],
    }
    width = None
    if distillation.similarity > 0:
        validation["teacher_features"] = teachers.members[0].features_of("validation")
        width = validation["teacher_features"].shape[1]
        batches.teacher_features = np.zeros((len(batches.teacher_logits), width), np.float16)
    model = distiller(student, distillation, width)
    model.compile(**compile_settings(config.training, len(batches)))
    fit(
        model,
        batches,
        (validation, material.labels_of("validation")),
        epochs=range(config.training.epochs),
        checkpoint=run.path("checkpoint"),
        history=run.path("history.csv"),
        verbose=verbose,
        before=(_AskTeacher(teachers, batches),),
    )


def distiller(
    student: keras.Model, config: DistillationConfig, width: int | None = None
) -> keras.distillation.Distiller:
    """Return the distiller from {"image", "teacher_logit", maybe "teacher_features"} to the student's logit.

    The teacher has spoken already, so its part here hands on what it said; `width` is that of its features.
    """
    inputs = {
        "image": keras.Input(student.input_shape[1:], name="image"),
        "teacher_logit": keras.Input((1,), name="teacher_logit"),
    }
    losses: list[Any] = [BinaryLogitsDistillation(temperature=config.temperature)]
    weights = [1.0]
    if width is not None:
        inputs["teacher_features"] = keras.Input((width,), name="teacher_features")
        losses.append(
            SimilarityDistillation(teacher_layer_name="teacher_features", student_layer_name=LAST_FEATURES)
        )
        weights.append(config.similarity)
    said = keras.layers.Identity(name="said")(inputs["teacher_logit"])
    own = {**inputs, "image": student.input}  # its layers by their names, not a model inside a model
    made = keras.distillation.Distiller(
        teacher=keras.Model(inputs, said, name="teacher"),
        student=keras.Model(own, student.output, name="student"),
        distillation_losses=losses,
        distillation_loss_weights=weights,
        student_loss_weight=1.0 - config.alpha,
    )
    made(inputs)  # builds it, without which it cannot be resumed
    return made
