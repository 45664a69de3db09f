"""The teacher: pooled features of several backbones side by side, dropout, dense layers, one logit."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import msgspec
from keras import layers

from skin_edge.errors import ModelError
from skin_edge_training.config import TeacherConfig
from skin_edge_training.devices import accelerators
from skin_edge_training.models.backbones import RANDOM, build_backbone, keras_hub
from skin_edge_training.models.efficientnet_lite import freeze_front

MIXED, FULL = "mixed_float16", "float32"


def build_teacher(config: TeacherConfig, *, precision: str = FULL) -> keras.Model:
    """Return a model from (B, S, S, 3) float32 RGB grey levels 0 to 255 to a (B, 1) float32 logit.

    Args:
        config: backbones, weights, side S (`size_px`), head.
        precision: Keras dtype policy of the layers; the logit is float32 under each.

    Raises:
        ModelError: weights of a backbone are missing.
    """
    with dtype_policy(precision):
        backbones = [
            build_backbone(name, config.size_px, config.weights, config.stages) for name in config.backbones
        ]
        inputs = keras.Input((config.size_px, config.size_px, 3), dtype=FULL, name="image")
        features = [backbone(inputs) for backbone in backbones]
        x = layers.Concatenate(name="fusion")(features) if len(features) > 1 else features[0]
        x = layers.Dropout(config.dropout, name="dropout")(x)
        for number, units in enumerate(config.head_units):
            x = layers.Dense(units, activation="relu", name=f"head{number}")(x)
        logit = layers.Dense(1, dtype=FULL, name="logit")(x)
        # Made under the policy too: by it, compile knows that the loss of 16-bit layers must be scaled.
        return keras.Model(inputs, logit, name="teacher")


def set_trainable(teacher: keras.Model, *, backbones: bool, frozen_blocks: int | None = None) -> None:
    """Open or close the backbones to training; of EfficientNet-Lite, `frozen_blocks` in front stay closed."""
    for layer in teacher.layers:
        if isinstance(layer, keras.Model):
            layer.trainable = backbones
            if backbones and frozen_blocks is not None:
                freeze_front(layer, frozen_blocks)


def choose_precision(wish: str) -> str:
    """Dtype policy for "auto", "always" or "never": 16 bit pays on a GPU and costs on a CPU."""
    return MIXED if wish == "always" or (wish == "auto" and accelerators()) else FULL


def finished(teacher: keras.Model, config: TeacherConfig, precision: str) -> keras.Model:
    """Return a trained teacher as it is kept: 32-bit layers, which any machine runs at its usual speed.

    It has no optimizer, which Keras would write into a .keras whatever it is told, at twice the size of the
    weights.
    """
    if precision == FULL:
        return keras.Model(teacher.input, teacher.output, name=teacher.name)
    plain = build_teacher(msgspec.structs.replace(config, weights=RANDOM))
    plain.set_weights(teacher.get_weights())
    return plain


def load_teacher(path: Path) -> keras.Model:
    """Read a teacher.keras.

    Raises:
        ModelError: it cannot be read, is no teacher, or needs KerasHub and that is missing.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if b"keras_hub" in archive.read("config.json"):
                keras_hub()  # registers its layers
        teacher = keras.models.load_model(path, compile=False)
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path}: cannot be read as a teacher: {' '.join(str(error).split())[:160]}"
        ) from error
    if teacher.output_shape != (None, 1) or len(teacher.input_shape) != 4:
        raise ModelError(f"{path}: not a teacher: it maps {teacher.input_shape} to {teacher.output_shape}")
    return teacher


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Layers made inside get this dtype policy: keras.applications takes it from nowhere else."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
