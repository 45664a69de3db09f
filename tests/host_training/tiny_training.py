"""A tiny teacher and a student that learns from it, on KERAS_BACKEND; test_backends.py runs this.

    python tiny_training.py FOLDER

Leaves in FOLDER what `train teacher` and `train student` leave, the logits of the networks in answers.npz and
what was seen of the devices in seen.json. Initial weights are drawn by numpy and nothing is dropped out, so
every backend, on any number of devices, has to come to the same networks.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd

from skin_edge.camera.drawing import draw
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.preprocess.spec import CropResize, PreprocessSpec
from skin_edge.strict import dump_yaml
from skin_edge_training import train, train_teacher
from skin_edge_training.backends import running_backend, under_tensorflow
from skin_edge_training.config import (
    DistillationConfig,
    ExperimentConfig,
    StudentConfig,
    TeacherConfig,
    TrainingConfig,
)
from skin_edge_training.data.batches import plain_inputs
from skin_edge_training.data.decoded import to_context
from skin_edge_training.provenance import describe
from skin_edge_training.run import Run
from skin_edge_training.train_teacher import teacher_preprocess

#: Five is shared equally neither by two devices nor by four.
PARTS = {"train": 16, "validation": 5, "test": 5}
BATCH = 8
SIZE_PX = 32

CONFIG = ExperimentConfig(
    preprocess=PreprocessSpec(crop_resize=CropResize(size_px=SIZE_PX)),
    student=StudentConfig(blocks=1, tail_channels=(8,), initial_weights="random", dropout=0.0),
    training=TrainingConfig(epochs=2, batch_size=BATCH, learning_rate=0.02, frozen_blocks=0),
    teacher=TeacherConfig(
        weights="random",
        size_px=SIZE_PX,
        stages=1,  # whole, it would take a minute to compile
        dropout=0.0,
        head_epochs=0,
        training=TrainingConfig(epochs=2, batch_size=BATCH, learning_rate=0.02, frozen_blocks=0),
    ),
    distillation=DistillationConfig(),
)


def drawn_by_numpy(build: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    """`build`, with kernels that do not depend on the backend's random numbers (He et al. 2015)."""

    def built(*args: Any, **kwargs: Any) -> keras.Model:
        model, rng = build(*args, **kwargs), np.random.default_rng(7)
        for weight in model.weights:
            if weight.name == "kernel":
                spread = math.sqrt(2 / math.prod(weight.shape[:-1]))
                weight.assign(rng.normal(0, spread, weight.shape).astype("float32"))
        return model

    return built


def prepare(run: Run) -> np.ndarray:
    """What `train data` leaves behind, and the pictures."""
    drawings = [draw(1, number) for number in range(sum(PARTS.values()))]
    table = pd.DataFrame({"malignant": [int(drawing.irregular) for drawing in drawings]})
    for column in ("image_id", "lesion_id", "group"):
        table[column] = table.index
    table["sha256"] = ""
    table["part"] = np.repeat(list(PARTS), list(PARTS.values()))
    pictures = run.path("pictures")
    pictures.mkdir(parents=True)
    table["path"] = [str(pictures / f"{number}.png") for number in table.index]
    for path, drawing in zip(table["path"], drawings, strict=True):
        cv2.imwrite(path, cv2.cvtColor(drawing.pixels, cv2.COLOR_RGB2BGR))
    table.to_csv(run.path("table.csv"), index=False)
    table.to_csv(run.path("split.csv"), index=False)
    run.write("config.yaml", dump_yaml(CONFIG))
    run.write_provenance(describe(CONFIG, table, {}, run.split_sha256()))
    return np.stack([to_context(drawing.pixels) for drawing in drawings])


def watch_devices(seen: dict[str, Any]) -> None:
    """Note how JAX lays out the arrays that Keras hands it from batches of eight pictures."""
    import jax

    original = jax.make_array_from_process_local_data

    def note(*args: Any, **kwargs: Any) -> Any:
        array = original(*args, **kwargs)
        if array.shape == (BATCH, SIZE_PX, SIZE_PX, 3):
            shards = {str(shard.device): list(shard.data.shape) for shard in array.addressable_shards}
            seen.setdefault("batches", []).append(shards)
        return array

    jax.make_array_from_process_local_data = note


def main() -> None:
    run, seen = Run(Path(sys.argv[1])), {"backend": keras.backend.backend(), "log": []}
    handler = logging.Handler()
    handler.emit = lambda record: seen["log"].append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("skin_edge_training").addHandler(handler)
    logging.getLogger("skin_edge_training").setLevel(logging.INFO)
    train_teacher.build_teacher = drawn_by_numpy(train_teacher.build_teacher)
    train.build_student = drawn_by_numpy(train.build_student)
    if seen["backend"] == "jax":
        watch_devices(seen)

    decoded = prepare(run)
    teacher = train_teacher.train_teacher(CONFIG, run, decoded, verbose=0)
    student = train.train_student(CONFIG, run, decoded, verbose=0)
    if seen["backend"] == "jax":
        seen["weights_on"] = sorted({len(v.value.sharding.device_set) for v in student.weights})
        if seen["weights_on"] == [1]:
            seen["export_runs_on"] = under_tensorflow(running_backend)
    spec = CONFIG.preprocess
    own, teachers = (
        plain_inputs(decoded, np.arange(10), Preprocessor(s))
        for s in (spec, teacher_preprocess(spec, SIZE_PX))
    )
    np.savez(
        run.path("answers.npz"),
        student_inputs=own,
        teacher_inputs=teachers,
        teacher=teacher.predict(teachers, verbose=0)[:, 0],
        student=student.predict(own, verbose=0)["logit"][:, 0],
    )
    again = train.train_student(CONFIG, run, decoded, verbose=0)
    kept = zip(student.get_weights(), again.get_weights(), strict=True)
    seen["resumed"] = all(np.array_equal(a, b) for a, b in kept)
    run.path("seen.json").write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main()
