"""Keras student to TFLite: 16-bit weights, which are shipped, and full-integer 8 bit, which is measured."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import keras
import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge_training.config import ExperimentConfig
from skin_edge_training.data.batches import plain_inputs
from skin_edge_training.data.decoded import Uint8Array
from skin_edge_training.models.student import build_student

#: Pictures that set the ranges of the 8-bit tensors; TensorFlow's guide asks for 100 to 500.
CALIBRATION_PICTURES = 300


def to_tflite_fp16(student: keras.Model, config: ExperimentConfig) -> bytes:
    """Return the student as TFLite with 16-bit weights and a static batch of one."""
    import tensorflow as tf

    converter = _converter(student, config)
    converter.target_spec.supported_types = [tf.float16]
    return _convert(converter)


def to_tflite_int8(
    student: keras.Model, config: ExperimentConfig, calibration: npt.NDArray[np.float32]
) -> bytes:
    """Return the student as TFLite that computes in 8-bit integers only (post-training; Jacob et al. 2018).

    Weights have a scale a channel, activations one a tensor. The file quantizes its float32 input and
    dequantizes its outputs itself, so `skin_edge` runs it as it runs any other.

    Args:
        student: the trained network.
        config: the experiment that it is of.
        calibration: (N, S, S, 3) float32 network inputs; their activations set the ranges.

    Raises:
        tf.lite.ConverterError: an operation has no integer kernel.
    """
    import tensorflow as tf

    def one_by_one() -> Iterator[list[npt.NDArray[np.float32]]]:
        for picture in calibration:
            yield [picture[None]]

    converter = _converter(student, config)
    converter.representative_dataset = one_by_one
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with warnings.catch_warnings():
        # Meant for graphs that were trained with fake quantization: ours gets its ranges from the pictures.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected")
        return _convert(converter)


def calibration_rows(table: pd.DataFrame, seed: int) -> npt.NDArray[np.int64]:
    """Return up to `CALIBRATION_PICTURES` rows of the training part of `table`, drawn by `seed`, rising.

    Ranges fitted on held-out pictures would make the figures of the 8-bit file optimistic.
    """
    training = np.flatnonzero(table["part"] == "train")
    count = min(CALIBRATION_PICTURES, len(training))
    return np.sort(np.random.default_rng(seed).choice(training, count, replace=False))


def calibration_inputs(
    decoded: Uint8Array, table: pd.DataFrame, config: ExperimentConfig
) -> npt.NDArray[np.float32]:
    """Return training pictures as a device hands them to the network, (N, S, S, 3) float32.

    Args:
        decoded: (M, 150, 200, 3) uint8 in the order of `table`.
        table: one row a picture, with `part`.
        config: its stages and its seed.
    """
    return plain_inputs(decoded, calibration_rows(table, config.seed), Preprocessor(config.preprocess))


def _converter(student: keras.Model, config: ExperimentConfig) -> Any:
    """A converter of the student rebuilt with a batch of one: XNNPACK refuses some dynamic shapes."""
    import tensorflow as tf

    untrained = msgspec.structs.replace(config.student, initial_weights="random")
    static = build_student(untrained, config.preprocess.crop_resize.size_px, batch_size=1)
    static.set_weights(student.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(static)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter


def _convert(converter: Any) -> bytes:
    with redirect_stdout(sys.stderr):  # Keras describes what it exports; our stdout is for results
        return bytes(converter.convert())
