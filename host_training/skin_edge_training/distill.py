"""Distillation: the student sees the view that the teacher saw, and learns what the teacher said of it.

A view follows from seed, epoch and batch alone, at any input size (data/batches.py). So the teacher's logits
of an epoch are computed once, before the epoch, and kept: a resumed run, another temperature, another student
with the same seed read them back, and get exactly what a second pass of the teacher would give.

The loss is Keras' own for logits (Hinton et al. 2015), on the pair (0, z) whose softmax is the sigmoid of z,
and, where `distillation.similarity` asks for it, that of similarity.py on the features behind the logit.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from skin_edge.durable import PUBLIC_MODE, replacing
from skin_edge.errors import UsageError
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.preprocess.spec import PreprocessSpec
from skin_edge_training.config import DistillationConfig, ExperimentConfig, load_experiment
from skin_edge_training.data.batches import TrainingBatches
from skin_edge_training.fitting import Material, compile_settings, fit, predict_logits
from skin_edge_training.models.student import logit_model
from skin_edge_training.models.teacher import load_teacher
from skin_edge_training.run import Run
from skin_edge_training.similarity import LAST_FEATURES, SimilarityDistillation, features_model
from skin_edge_training.train_teacher import teacher_preprocess

logger = logging.getLogger(__name__)

Logits = npt.NDArray[np.float32]
Features = npt.NDArray[np.float16]


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


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained teacher and the pictures as it sees them."""

    model: keras.Model
    material: Material
    views: TrainingBatches
    cache: Path

    def logits_of_epoch(self, epoch: int) -> Logits:
        """(batches * B,) float32: what it says of the random views of an epoch, computed once."""
        target = self.cache / f"epoch-{epoch:04d}.npy"
        if not target.exists():
            self.views.epoch = epoch
            _keep(target, self.model.predict(self.views, verbose=0)[:, 0])
        return np.asarray(np.load(target), np.float32)

    def logits_of(self, part: str) -> Logits:
        """(n,) float32: what it says of a part's pictures as they are."""
        target = self.cache / f"{part}.npy"
        if not target.exists():
            _keep(target, predict_logits(self.model, self.material.inputs(part)))
        return np.asarray(np.load(target), np.float32)

    def features_of_epoch(self, epoch: int) -> Features:
        """(batches * B, F) float16: the features behind its logits of the random views of an epoch."""
        target = self.cache / f"epoch-{epoch:04d}-features.npy"
        if not target.exists():
            self.views.epoch = epoch
            _keep(target, features_model(self.model).predict(self.views, verbose=0), np.float16)
        features: Features = np.load(target)
        return features

    def features_of(self, part: str) -> npt.NDArray[np.float32]:
        """(n, F) float32: the features behind its logits of a part's pictures as they are."""
        target = self.cache / f"{part}-features.npy"
        if not target.exists():
            inputs = self.material.inputs(part)
            _keep(target, features_model(self.model).predict(inputs, verbose=0), np.float16)
        return np.asarray(np.load(target), np.float32)


@dataclass(frozen=True, slots=True)
class Teachers:
    """Networks that teach together; what they say is the mean of their logits."""

    members: tuple[Teacher, ...]

    def logits_of_epoch(self, epoch: int) -> Logits:
        """As `Teacher.logits_of_epoch`."""
        return np.asarray(np.mean([member.logits_of_epoch(epoch) for member in self.members], axis=0))

    def logits_of(self, part: str) -> Logits:
        """As `Teacher.logits_of`."""
        return np.asarray(np.mean([member.logits_of(part) for member in self.members], axis=0))


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


def teacher_run(config: ExperimentConfig, run: Run) -> tuple[Run, str]:
    """Return the run that `config.distillation` takes its teacher from, and the file's name in it."""
    named = (config.distillation or DistillationConfig()).teacher
    path = run.directory if named is None else Path(named)
    return (Run(path.parent), path.name) if path.suffix == ".keras" else (Run(path), "teacher.keras")


def find_teachers(config: ExperimentConfig, run: Run, material: Material, cache: Path) -> Teachers:
    """Return the networks that `config.distillation` names; their logits are kept in folders of `cache`.

    Raises:
        UsageError: one is missing, or has learnt from lesions that `run` measures on.
        ModelError: the teacher cannot be read.
    """
    home, name = teacher_run(config, run)
    file = home.require(name, "teacher")
    if home.directory.resolve() != run.directory.resolve():
        _refuse_leak(home.require("split.csv", "data"), run.require("split.csv", "data"))
    model = load_teacher(file)
    own = load_experiment(home.require("config.yaml", "data"))
    spec = teacher_preprocess(own.preprocess, int(model.input_shape[1]))
    members = [_teacher(model, file, spec, config, material, cache)]
    if (config.distillation or DistillationConfig()).control_teaches:
        file = Run(run.path("control")).require("student.keras", "student")
        control = logit_model(keras.models.load_model(file, compile=False))
        members.append(_teacher(control, file, config.preprocess, config, material, cache))
    return Teachers(tuple(members))


def _teacher(
    model: keras.Model,
    file: Path,
    spec: PreprocessSpec,
    config: ExperimentConfig,
    material: Material,
    cache: Path,
) -> Teacher:
    seen = Material(material.decoded, material.labels, material.rows, Preprocessor(spec))
    folder = cache / f"teacher-{_fingerprint(file, spec, config, material)}"
    logger.info("teacher %s: %s weights", file, f"{model.count_params():,}")
    return Teacher(model, seen, seen.training_batches(config, config.training.batch_size), folder)


def _refuse_leak(teacher_split: Path, student_split: Path) -> None:
    """A teacher that has learnt from a held-out lesion would tell the student about it."""
    theirs, ours = pd.read_csv(teacher_split), pd.read_csv(student_split)
    learnt = theirs.loc[theirs["part"] == "train", "image_id"]
    known = ours.loc[ours["image_id"].isin(learnt), "group"]
    leaked = ours["group"].isin(known) & ours["part"].isin(("validation", "test"))
    if leaked.any():
        raise UsageError(
            f"{teacher_split.parent}: this teacher has learnt from lesions of {int(leaked.sum())} pictures "
            f"that {student_split.parent} holds out: train it on the same split"
        )


def _fingerprint(file: Path, spec: PreprocessSpec, config: ExperimentConfig, material: Material) -> str:
    """Hex digest of all that the teacher's logits depend on."""
    digest = hashlib.sha256(file.read_bytes())
    views = (config.augmentation, config.seed, config.training.batch_size)
    digest.update(spec.fingerprint().encode() + msgspec.json.encode(views))
    for part in ("train", "validation"):
        digest.update(material.rows[part].tobytes())
    for picture in material.decoded:
        digest.update(picture.data)
    return digest.hexdigest()[:16]


def _keep(target: Path, said: npt.NDArray[Any], kind: type = np.float32) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target, PUBLIC_MODE) as stream:
        np.save(stream, said.astype(kind))
