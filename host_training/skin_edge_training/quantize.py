"""Keras student to a 16-bit TFLite file, and the gate that stops a conversion which moved the logits."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

import keras
import msgspec
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from skin_edge.durable import PUBLIC_MODE, replacing
from skin_edge.errors import ModelError
from skin_edge.model.bundle import MAX_MODEL_BYTES
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge_training.backends import require_tensorflow
from skin_edge_training.config import ExperimentConfig
from skin_edge_training.data.batches import plain_inputs
from skin_edge_training.data.decoded import Uint8Array
from skin_edge_training.models.student import build_student
from skin_edge_training.run import Run

#: Rounding the shipped student's weights to 16 bit moves the median logit by 0.007 and the worst of 3,003 by
#: 0.09, in a range from -13 to 8. A conversion that goes wrong moves them by whole units.
MAX_LOGIT_CHANGE = 0.2
MAX_AUROC_CHANGE = 0.002


def to_tflite_fp16(student: keras.Model, config: ExperimentConfig) -> bytes:
    """Return the student as TFLite with 16-bit weights and a static batch of one.

    Dynamic shapes keep XNNPACK from taking some networks, hence the rebuild with a fixed batch.
    """
    import tensorflow as tf

    untrained = msgspec.structs.replace(config.student, initial_weights="random")
    static = build_student(untrained, config.preprocess.crop_resize.size_px, batch_size=1)
    static.set_weights(student.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(static)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    with redirect_stdout(sys.stderr):  # Keras describes what it exports; our stdout is for results
        return bytes(converter.convert())


def quantize(config: ExperimentConfig, run: Run, decoded: Uint8Array) -> dict[str, float]:
    """Write student.tflite, predictions.csv and quantization.json of `run`; return the comparison.

    The TFLite logits are made by `skin_edge`'s own runtime, one picture at a time, as on a device.

    Raises:
        ModelError: the file is too large, or the logits moved.
        UsageError: Keras runs on another backend than TensorFlow in this process.
    """
    require_tensorflow()
    student = keras.models.load_model(run.require("student.keras", "student"), compile=False)
    model = to_tflite_fp16(student, config)
    if len(model) > MAX_MODEL_BYTES:
        raise ModelError(f"the 16-bit student has {len(model):,} bytes, the limit is {MAX_MODEL_BYTES:,}")
    table = run.table()
    rows = np.flatnonzero(table["part"] != "train")
    inputs = plain_inputs(decoded, rows, Preprocessor(config.preprocess))
    network = Network(model, inputs.shape[1:])
    predictions = table.loc[rows, ["image_id", "group", "part", "malignant"]].reset_index(drop=True)
    predictions["logit_keras"] = student.predict(inputs, batch_size=128, verbose=0)["logit"][:, 0]
    predictions["logit_tflite"] = [network.predict(one).logit for one in inputs]
    report = compare(predictions, len(model))
    predictions.to_csv(run.path("predictions.csv"), index=False, float_format="%.7g")
    run.path("quantization.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    gate(report)
    with replacing(run.path("student.tflite"), PUBLIC_MODE) as stream:
        stream.write(model)
    return report


def compare(predictions: pd.DataFrame, size_bytes: int) -> dict[str, float]:
    """Return size, largest logit change, and AUROC on the validation part before and after."""
    change = (predictions["logit_keras"] - predictions["logit_tflite"]).abs().max()
    report = {"size_bytes": float(size_bytes), "max_logit_change": float(change)}
    for part in ("validation", "test"):
        rows = predictions[predictions["part"] == part]
        for kind in ("keras", "tflite"):
            report[f"auroc_{part}_{kind}"] = float(roc_auc_score(rows["malignant"], rows[f"logit_{kind}"]))
    return report


def gate(report: dict[str, float]) -> None:
    """Refuse a conversion that moved logits or validation AUROC by more than rounding does.

    Raises:
        ModelError: with the figure and its limit.
    """
    if not report["max_logit_change"] <= MAX_LOGIT_CHANGE:
        raise ModelError(
            f"quantization moved a logit by {report['max_logit_change']:.4f}, the limit is {MAX_LOGIT_CHANGE}"
        )
    change = abs(report["auroc_validation_keras"] - report["auroc_validation_tflite"])
    if not change <= MAX_AUROC_CHANGE:
        raise ModelError(
            f"quantization moved validation AUROC by {change:.4f}, the limit is {MAX_AUROC_CHANGE}"
        )
