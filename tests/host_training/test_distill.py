"""Distillation: same views for both networks, what the teacher knows reaches the student, nothing leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pandas as pd
import pytest

keras = pytest.importorskip("keras", reason="the extra 'train' is not installed")

from skin_edge.errors import UsageError  # noqa: E402
from skin_edge.preprocess.pipeline import Preprocessor  # noqa: E402
from skin_edge.preprocess.spec import CropResize, PreprocessSpec  # noqa: E402
from skin_edge.strict import dump_yaml  # noqa: E402
from skin_edge_training.config import (  # noqa: E402
    DistillationConfig,
    ExperimentConfig,
    StudentConfig,
    TrainingConfig,
)
from skin_edge_training.distill import BinaryLogitsDistillation  # noqa: E402
from skin_edge_training.fitting import Material  # noqa: E402
from skin_edge_training.provenance import describe  # noqa: E402
from skin_edge_training.run import Run  # noqa: E402
from skin_edge_training.similarity import LAST_FEATURES  # noqa: E402
from skin_edge_training.teachers import Teacher, find_teachers  # noqa: E402
from skin_edge_training.train import train_student  # noqa: E402
from skin_edge_training.train_teacher import teacher_preprocess  # noqa: E402

PICTURES, TEACHER_PX = 128, 48
PARTS = ("train", "validation", "test")


def experiment(epochs: int, distillation: DistillationConfig | None) -> ExperimentConfig:
    return ExperimentConfig(
        preprocess=PreprocessSpec(crop_resize=CropResize(size_px=32)),
        student=StudentConfig(blocks=1, tail_channels=(16,), initial_weights="random", dropout=0.0),
        training=TrainingConfig(epochs=epochs, batch_size=16, learning_rate=0.02),
        distillation=distillation,
    )


@pytest.fixture(scope="module")
def decoded() -> np.ndarray:
    """Plain pictures, each of one colour with a spot; what is red in them the labels do not know."""
    rng = np.random.default_rng(0)
    pictures = np.empty((PICTURES, 150, 200, 3), np.uint8)
    pictures[:] = rng.integers(30, 220, (PICTURES, 1, 1, 3))
    for picture in pictures:
        cv2.circle(picture, (100, 75), int(rng.integers(10, 50)), (90, 60, 50), -1)
    return pictures


def start(directory: Path, config: ExperimentConfig) -> Run:
    """A run that `train data` has prepared."""
    directory.mkdir(parents=True)
    run = Run(directory)
    run.path("config.yaml").write_text(dump_yaml(config), encoding="utf-8")
    number = np.arange(PICTURES)
    table = pd.DataFrame({"image_id": number, "lesion_id": number, "group": number, "malignant": number % 2})
    table["part"] = np.asarray(PARTS)[np.clip(number * 4 // PICTURES - 1, 0, 2)]
    table.to_csv(run.path("table.csv"), index=False)
    table.to_csv(run.path("split.csv"), index=False)
    run.write_provenance(describe(config, table.assign(sha256=""), {}, run.split_sha256()))
    return run


@pytest.fixture(scope="module")
def teacher_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A teacher that knows one thing: how red a picture is."""
    run = start(tmp_path_factory.mktemp("runs") / "teacher", experiment(1, None))
    inputs = keras.Input((TEACHER_PX, TEACHER_PX, 3))
    logit = keras.layers.Dense(1, name="logit")
    teacher = keras.Model(inputs, logit(keras.layers.GlobalAveragePooling2D()(inputs)))
    logit.set_weights([np.array([[0.03], [0.0], [0.0]]), np.array([-3.6])])
    teacher.save(run.path("teacher.keras"))
    return run


def of(teacher_run: Run, **changes: Any) -> DistillationConfig:
    return DistillationConfig(teacher=str(teacher_run.directory), **changes)


def materials(decoded: np.ndarray, run: Run) -> tuple[Material, Material]:
    spec = experiment(1, None).preprocess
    specs = (spec, teacher_preprocess(spec, TEACHER_PX))
    student, teacher = (Material.of(run.table(), decoded, Preprocessor(spec)) for spec in specs)
    return student, teacher


def test_both_networks_get_the_same_view(decoded: np.ndarray, teacher_run: Run) -> None:
    config = experiment(1, None)
    student, teacher = (m.training_batches(config, 16) for m in materials(decoded, teacher_run))
    student.epoch = teacher.epoch = 3
    (small, labels), (large, same_labels) = student[1], teacher[1]
    assert np.array_equal(labels, same_labels)
    for ours, theirs in zip(small, large, strict=True):
        shrunk = cv2.resize(theirs, (32, 32), interpolation=cv2.INTER_AREA)
        assert np.abs((ours * 128 + 127) - shrunk).mean() < 3.0
    assert large.min() >= 0
    assert large.max() > 100  # grey levels, not normalised


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_loss_is_the_divergence_of_the_two_sigmoids(temperature: float) -> None:
    teacher, student = np.random.default_rng(0).normal(0, 3, (2, 32, 1)).astype("float32")
    told = float(BinaryLogitsDistillation(temperature=temperature).compute_loss(teacher, student))
    p, q = (1 / (1 + np.exp(-z.astype(float) / temperature)) for z in (teacher, student))
    divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    assert told == pytest.approx(temperature**2 * divergence.mean(), rel=1e-3)


def test_what_the_teacher_knows_moves_the_student(
    decoded: np.ndarray, teacher_run: Run, tmp_path: Path
) -> None:
    """With alpha 1 the labels count for nothing: the student comes to see red as its teacher does."""
    student_view, teacher_view = materials(decoded, teacher_run)
    knows = teacher_view.inputs("test")[..., 0].mean((1, 2)) * 0.03 - 3.6
    agreement = {}
    for name, distillation in (("control", None), ("distilled", of(teacher_run, alpha=1.0, temperature=1.0))):
        config = experiment(8, distillation)
        run = start(tmp_path / name, config)
        student = train_student(config, run, decoded, verbose=0)
        logits = student.predict(student_view.inputs("test"), verbose=0)["logit"][:, 0]
        agreement[name] = np.corrcoef(logits, knows)[0, 1]
        history = pd.read_csv(run.path("history.csv"))
    assert history["distillation_loss"].iloc[-1] < 0.5 * history["distillation_loss"].iloc[0]
    assert agreement["distilled"] > 0.9
    assert agreement["distilled"] > agreement["control"] + 0.2
    assert np.abs(logits - knows).mean() < 0.8


def test_without_weight_on_the_teacher_it_is_the_control_arm(
    decoded: np.ndarray, teacher_run: Run, tmp_path: Path
) -> None:
    """Same initial weights, same views, same budget: all that distillation changes is the loss."""
    students = []
    for name, distillation in (("control", None), ("distilled", of(teacher_run, alpha=1e-9))):
        config = experiment(2, distillation)
        students.append(train_student(config, start(tmp_path / name, config), decoded, verbose=0))
    for ours, theirs in zip(*(s.get_weights() for s in students), strict=True):
        assert ours == pytest.approx(theirs, abs=2e-3)


def test_similar_pictures_for_the_teacher_become_similar_for_the_student(
    decoded: np.ndarray, teacher_run: Run, tmp_path: Path
) -> None:
    """The teacher's features are the mean colour; with their loss the student's batches come closer to it."""
    student_view, teacher_view = materials(decoded, teacher_run)
    knows = similarity(teacher_view.inputs("test").mean((1, 2)))
    distance = {}
    for weight in (0.0, 1000.0):
        config = experiment(6, of(teacher_run, alpha=0.9, similarity=weight))
        run = start(tmp_path / str(weight), config)
        student = train_student(config, run, decoded, verbose=0)
        layer = keras.Model(student.input, student.get_layer(LAST_FEATURES).output)
        features = layer.predict(student_view.inputs("test"), verbose=0).mean((1, 2))
        distance[weight] = float(((similarity(features) - knows) ** 2).mean())
    assert distance[1000.0] < 0.5 * distance[0.0]


def similarity(features: np.ndarray) -> np.ndarray:
    products = features @ features.T
    return np.asarray(products / np.linalg.norm(products, axis=1, keepdims=True))


def test_an_interrupted_distillation_goes_on_and_asks_the_teacher_once(
    decoded: np.ndarray, teacher_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = experiment(3, of(teacher_run))
    run, asked = start(tmp_path / "run", config), []
    original = Teacher.logits_of_epoch

    def ask(self: Teacher, epoch: int) -> Any:
        fresh = not (self.cache / f"epoch-{epoch:04d}.npy").exists()
        asked.append((epoch, fresh))
        if asked == [(0, True), (1, True), (2, True)]:
            raise KeyboardInterrupt
        return original(self, epoch)

    monkeypatch.setattr(Teacher, "logits_of_epoch", ask)
    with pytest.raises(KeyboardInterrupt):
        train_student(config, run, decoded, verbose=0)
    train_student(config, run, decoded, verbose=0)
    assert asked[3:] == [(2, True)]
    assert list(pd.read_csv(run.path("history.csv"))["epoch"]) == [0, 1, 2]

    other = msgspec.structs.replace(config, distillation=of(teacher_run, temperature=5.0))
    train_student(
        other, start(tmp_path / "other", other), decoded, cache=run.path("teacher_logits"), verbose=0
    )
    assert asked[4:] == [(0, False), (1, False), (2, False)]


def test_teacher_and_control_arm_teach_together(
    decoded: np.ndarray, teacher_run: Run, tmp_path: Path
) -> None:
    config = experiment(1, of(teacher_run, control_teaches=True))
    run = start(tmp_path / "run", config)
    with pytest.raises(UsageError, match=r"control.student\.keras is missing: run 'skin-edge train student"):
        train_student(config, run, decoded, verbose=0)
    alone = experiment(1, None)
    control = train_student(alone, start(tmp_path / "run" / "control", alone), decoded, verbose=0)

    ours, theirs = materials(decoded, teacher_run)
    said = find_teachers(config, run, ours, tmp_path / "cache").logits_of("validation")
    apart = control.predict(ours.inputs("validation"), verbose=0)["logit"][:, 0]
    red = theirs.inputs("validation")[..., 0].mean((1, 2)) * 0.03 - 3.6
    assert said == pytest.approx((apart + red) / 2, abs=1e-3)
    train_student(config, run, decoded, verbose=0)
    assert len(pd.read_csv(run.path("history.csv"))) == 1


def test_a_teacher_that_has_seen_held_out_lesions_is_refused(
    decoded: np.ndarray, teacher_run: Run, tmp_path: Path
) -> None:
    config = experiment(1, of(teacher_run))
    run = start(tmp_path / "run", config)
    split = pd.read_csv(run.path("split.csv"))
    split.loc[0, "part"] = "test"
    split.to_csv(run.path("split.csv"), index=False)
    with pytest.raises(UsageError, match="has learnt from lesions of 1 pictures"):
        train_student(config, run, decoded, verbose=0)


def test_a_missing_teacher_names_the_step_that_makes_it(decoded: np.ndarray, tmp_path: Path) -> None:
    config = experiment(1, DistillationConfig(teacher=str(tmp_path / "nowhere")))
    with pytest.raises(UsageError, match=r"nowhere.*is missing: run 'skin-edge train teacher"):
        train_student(config, start(tmp_path / "run", config), decoded, verbose=0)
