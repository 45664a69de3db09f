"""What the teachers say of the pictures: asked once a view, and kept.

A view follows from seed, epoch and batch alone, at any input size (data/batches.py). So what a teacher says
of an epoch is computed once, before the epoch: a resumed run, another temperature, another student with the
same seed read it back, and get exactly what a second pass of the teacher would give.
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
from skin_edge_training.fitting import Material, predict_logits
from skin_edge_training.models.student import logit_model
from skin_edge_training.models.teacher import load_teacher
from skin_edge_training.run import Run
from skin_edge_training.similarity import features_model
from skin_edge_training.train_teacher import teacher_stages

logger = logging.getLogger(__name__)

Logits = npt.NDArray[np.float32]
Features = npt.NDArray[np.float16]


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
    spec = teacher_stages(own, int(model.input_shape[1]))
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
