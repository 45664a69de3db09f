"""The step from student.keras to student.tflite: convert, run every format as a device does, compare, ship.

The 16-bit file is shipped if its answers are those of the Keras student. The full-integer file is made and
measured beside it, so that the choice of 16 bit rests on figures; however bad it is, it stops nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import keras
import msgspec
import numpy as np
import numpy.typing as npt

from skin_edge.durable import PUBLIC_MODE, replacing
from skin_edge.errors import ModelError
from skin_edge.model.bundle import MAX_MODEL_BYTES
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge_training.backends import require_tensorflow
from skin_edge_training.config import ExperimentConfig
from skin_edge_training.convert import calibration_inputs, to_tflite_fp16, to_tflite_int8
from skin_edge_training.data.batches import plain_inputs
from skin_edge_training.data.decoded import Uint8Array
from skin_edge_training.formats import LOGIT_COLUMNS, Format, FormatComparison, compare_formats, gate
from skin_edge_training.run import Run

#: Calls of each format that its median time is taken from.
INVOKE_ROUNDS = 300

FLOAT32_BYTES = 4


def quantize(config: ExperimentConfig, run: Run, decoded: Uint8Array) -> FormatComparison:
    """Convert the student of `run`, compare the formats, and keep the 16-bit file if it passes the gate.

    Leaves student_int8.tflite, predictions.csv, quantization.csv and quantization.json behind, whatever the
    gate says, and student.tflite only if it passes. All TFLite logits are made by `skin_edge`'s own
    runtime, one picture at a time, as on a device.

    Args:
        config: the experiment.
        run: its folder, with student.keras and the table.
        decoded: (N, 150, 200, 3) uint8 in the order of the run's table.

    Raises:
        ModelError: the 16-bit file is too large, or its logits moved.
        UsageError: an earlier step has not run, or Keras runs on another backend than TensorFlow here.
    """
    require_tensorflow()
    student = keras.models.load_model(run.require("student.keras", "student"), compile=False)
    table = run.table()
    # An older file must not stay beside the figures of a newer student that the gate refuses.
    run.path("student.tflite").unlink(missing_ok=True)
    shipped = to_tflite_fp16(student, config)
    if len(shipped) > MAX_MODEL_BYTES:
        raise ModelError(f"the 16-bit student has {len(shipped):,} bytes, the limit is {MAX_MODEL_BYTES:,}")
    calibration = calibration_inputs(decoded, table, config)
    models: dict[Format, bytes] = {"fp16": shipped, "int8": to_tflite_int8(student, config, calibration)}
    _write(run.path("student_int8.tflite"), models["int8"])

    rows = np.flatnonzero(table["part"].isin(("validation", "test")))
    inputs = plain_inputs(decoded, rows, Preprocessor(config.preprocess))
    networks = {name: Network(model, inputs.shape[1:]) for name, model in models.items()}
    predictions = table.loc[rows, ["image_id", "group", "part", "malignant"]].reset_index(drop=True)
    predictions[LOGIT_COLUMNS["float32"]] = student.predict(inputs, batch_size=128, verbose=0)["logit"][:, 0]
    for name, network in networks.items():
        predictions[LOGIT_COLUMNS[name]] = [network.predict(one).logit for one in inputs]
    comparison = compare_formats(
        predictions,
        size_bytes={
            "float32": FLOAT32_BYTES * student.count_params(),
            **{name: len(model) for name, model in models.items()},
        },
        invoke_ms=invoke_times_ms(networks, inputs),
        default_sensitivity=config.decision.default_sensitivity,
        calibration_pictures=len(calibration),
    )
    run.write("predictions.csv", predictions.to_csv(index=False, float_format="%.7g"))
    run.write("quantization.csv", comparison.frame().to_csv(index=False, float_format="%.7g"))
    document = msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode()
    run.write("quantization.json", document + "\n")
    gate(comparison)
    _write(run.path("student.tflite"), shipped)
    return comparison


def invoke_times_ms(
    networks: Mapping[Format, Network], inputs: npt.NDArray[np.float32], *, rounds: int = INVOKE_ROUNDS
) -> dict[Format, float]:
    """Return the median milliseconds of one call of each network, on one thread.

    The networks take turns on the same picture, and every other round in reverse, so that what else the
    machine does falls on all of them alike.

    Args:
        networks: format to network, which has run before.
        inputs: (N, S, S, 3) float32.
        rounds: calls of each.
    """
    times: dict[Format, list[float]] = {name: [] for name in networks}
    order = list(networks)
    for number in range(rounds):
        picture = inputs[number % len(inputs)]
        for name in order:
            started = time.perf_counter()
            networks[name].predict(picture)
            times[name].append((time.perf_counter() - started) * 1e3)
        order.reverse()
    return {name: float(np.median(taken)) for name, taken in times.items()}


def _write(path: Path, model: bytes) -> None:
    with replacing(path, PUBLIC_MODE) as stream:
        stream.write(model)
