"""Make the few-kB networks beside this file, so that tests run a real runtime without TensorFlow.

    .venv/bin/python tests/device/model/make_tiny_model.py

`tiny.tflite` is shaped like a student: a logit and a map. The others break one rule each.
"""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

FOLDER = Path(__file__).parent / "networks"
SIDE_PX = 32


def network(batch: int | None = 1, one_output: bool = False) -> keras.Model:
    """A net of two convolutions; its map's mean, plus a bias, is the logit."""
    keras.utils.set_random_seed(7)
    image = keras.Input((SIDE_PX, SIDE_PX, 3), batch_size=batch)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(12, 3, strides=2, padding="same", activation="relu")(x)
    activation_map = keras.layers.Conv2D(1, 1)(x)
    logit = keras.layers.GlobalAveragePooling2D()(activation_map)
    return keras.Model(image, logit if one_output else [logit, activation_map])


def not_finite() -> keras.Model:
    """A net that divides by zero."""
    image = keras.Input((SIDE_PX, SIDE_PX, 3), batch_size=1)
    activation_map = keras.ops.mean(image, axis=3, keepdims=True)
    logit = keras.ops.sum(activation_map * 0.0, axis=(1, 2)) / keras.ops.sum(
        activation_map * 0.0, axis=(1, 2)
    )
    return keras.Model(image, [logit, activation_map])


def convert(model: keras.Model, fp16: bool = True) -> bytes:
    """The TFLite flatbuffer of a model."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if fp16:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    data: bytes = converter.convert()
    return data


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "tiny.tflite").write_bytes(convert(network()))
    (FOLDER / "one_output.tflite").write_bytes(convert(network(one_output=True)))
    (FOLDER / "dynamic_batch.tflite").write_bytes(convert(network(batch=None)))
    (FOLDER / "not_finite.tflite").write_bytes(convert(not_finite(), fp16=False))


if __name__ == "__main__":
    main()
