"""Real conversions of a tiny student: what each file holds, what calibrates it, and what the gate stops."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
import keras
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from skin_edge.camera.drawing import draw
from skin_edge.errors import ModelError, UsageError
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.preprocess.spec import CropResize, PreprocessSpec
from skin_edge.strict import dump_yaml
from skin_edge_training import quantize as step
from skin_edge_training.config import ExperimentConfig, StudentConfig
from skin_edge_training.convert import CALIBRATION_PICTURES, calibration_rows, to_tflite_fp16
from skin_edge_training.data.batches import plain_inputs
from skin_edge_training.data.decoded import Uint8Array, to_context
from skin_edge_training.data.split import LEFT_OUT
from skin_edge_training.formats import FormatComparison, FormatFigures, gate, read_format_comparison
from skin_edge_training.models.student import build_student
from skin_edge_training.run import Run

SIZE_PX = 48
PICTURES = 120
CONFIG = ExperimentConfig(
    preprocess=PreprocessSpec(crop_resize=CropResize(size_px=SIZE_PX)),
    student=StudentConfig(blocks=2, tail_channels=(16,), initial_weights="imagenet", dropout=0.0),
)


class Quantized(NamedTuple):
    run: Run
    decoded: Uint8Array
    comparison: FormatComparison


def trained(decoded: Uint8Array, table: pd.DataFrame) -> keras.Model:
    """A student whose head alone has learnt: the pooled head is a logistic regression on pooled features."""
    keras.utils.set_random_seed(1)
    student = build_student(CONFIG.student, SIZE_PX)
    rows = np.flatnonzero(table["part"] == "train")
    features = keras.Model(student.input, student.get_layer("dropout").output)
    pooled = features.predict(plain_inputs(decoded, rows, Preprocessor(CONFIG.preprocess)), verbose=0)
    fitted = LogisticRegression(max_iter=1000).fit(pooled.mean(axis=(1, 2)), table["malignant"][rows])
    student.get_layer("activation_map").set_weights([fitted.coef_.reshape(1, 1, -1, 1), fitted.intercept_])
    return student


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Quantized:
    """A run on drawn lesions, taken through the step once."""
    drawings = [draw(1, number) for number in range(PICTURES)]
    decoded = np.stack([to_context(drawing.pixels) for drawing in drawings])
    parts = ["train"] * 60 + ["validation"] * 28 + ["test"] * 28 + [LEFT_OUT] * 4
    table = pd.DataFrame(
        {
            "image_id": [f"drawn_{number}" for number in range(PICTURES)],
            "group": range(PICTURES),
            "part": np.random.default_rng(0).permutation(parts),
            "malignant": [int(drawing.irregular) for drawing in drawings],
        }
    )
    run = Run(tmp_path_factory.mktemp("run"))
    run.path("config.yaml").write_text(dump_yaml(CONFIG), encoding="utf-8")
    table.to_csv(run.path("table.csv"), index=False)
    trained(decoded, table).save(run.path("student.keras"))
    return Quantized(run, decoded, step.quantize(CONFIG, run, decoded))


@pytest.fixture
def again(quantized: Quantized, tmp_path: Path) -> Run:
    """A copy of the run, for another go."""
    return Run(Path(shutil.copytree(quantized.run.directory, tmp_path / "run")))


def kept(quantized: Quantized, name: str) -> Callable[..., bytes]:
    """A conversion that gives the file of the first go: saves the seconds of making the same once more."""
    return lambda *_: quantized.run.path(name).read_bytes()


def of_format(comparison: FormatComparison, name: str) -> FormatFigures:
    return next(figures for figures in comparison.formats if figures.format == name)


def tensors_between_the_ends(model: bytes) -> set[str]:
    """Types of all tensors but the network's input and outputs, without a delegate to rewrite them."""
    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    ends = {d["index"] for d in (*interpreter.get_input_details(), *interpreter.get_output_details())}
    details: list[dict[str, Any]] = interpreter.get_tensor_details()
    return {np.dtype(d["dtype"]).name for d in details if d["index"] not in ends}


def test_the_8_bit_file_computes_in_integers_only(quantized: Quantized) -> None:
    assert tensors_between_the_ends(quantized.run.path("student_int8.tflite").read_bytes()) == {
        "int8",  # weights and activations
        "int32",  # biases and shapes
    }


def test_the_shipped_file_has_16_bit_weights(quantized: Quantized) -> None:
    assert "float16" in tensors_between_the_ends(quantized.run.path("student.tflite").read_bytes())


def test_the_devices_runtime_takes_the_8_bit_file_as_any_other(quantized: Quantized) -> None:
    network = Network(quantized.run.path("student_int8.tflite").read_bytes(), (SIZE_PX, SIZE_PX, 3))
    tensor = plain_inputs(quantized.decoded, np.arange(1), Preprocessor(CONFIG.preprocess))[0]
    found = network.predict(tensor)
    assert found.logit == pytest.approx(float(found.activation_map.mean()), abs=0.5)


def test_calibration_draws_training_pictures_only(quantized: Quantized) -> None:
    table = quantized.run.table()
    assert set(table["part"][calibration_rows(table, seed=1)]) == {"train"}


def test_calibration_draws_as_many_as_it_may_and_by_seed() -> None:
    table = pd.DataFrame({"part": ["train", "test"] * 1000})
    rows = calibration_rows(table, seed=1)
    assert len(set(rows)) == CALIBRATION_PICTURES
    assert np.array_equal(rows, calibration_rows(table, seed=1))
    assert not np.array_equal(rows, calibration_rows(table, seed=2))


def test_held_out_pictures_leave_no_trace_in_the_8_bit_file(
    quantized: Quantized, again: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise, which excites a network more than any picture, in place of all validation and test pictures."""
    decoded = quantized.decoded.copy()
    held_out = np.flatnonzero(again.table()["part"] != "train")
    decoded[held_out] = np.random.default_rng(0).integers(0, 2, (len(held_out), 150, 200, 3)) * 255
    monkeypatch.setattr(step, "to_tflite_fp16", kept(quantized, "student.tflite"))
    monkeypatch.setattr(step, "gate", lambda comparison: None)
    step.quantize(CONFIG, again, decoded)
    first, second = (run.path("student_int8.tflite").read_bytes() for run in (quantized.run, again))
    assert first == second


def test_the_table_has_all_formats_and_the_figures_of_their_logits(quantized: Quantized) -> None:
    table = pd.read_csv(quantized.run.path("quantization.csv")).set_index("format")
    assert list(table.index) == ["float32", "fp16", "int8"]
    predictions = pd.read_csv(quantized.run.path("predictions.csv"))
    test = predictions[predictions["part"] == "test"]
    for name, column in (("float32", "logit_keras"), ("fp16", "logit_tflite"), ("int8", "logit_int8")):
        row = table.loc[name]
        assert row["auroc_test"] == pytest.approx(roc_auc_score(test["malignant"], test[column]), abs=1e-6)
        change = (predictions[column] - predictions["logit_keras"]).abs()
        assert row["max_logit_change"] == pytest.approx(change.max(), abs=1e-5)
    assert table["size_bytes"]["fp16"] == quantized.run.path("student.tflite").stat().st_size
    assert table["size_bytes"]["int8"] == quantized.run.path("student_int8.tflite").stat().st_size
    assert 0 < table["max_logit_change"]["fp16"] < table["max_logit_change"]["int8"]
    assert table["invoke_to_fp16"]["int8"] == pytest.approx(
        table["invoke_ms"]["int8"] / table["invoke_ms"]["fp16"], rel=1e-5
    )
    assert np.isnan(table["invoke_ms"]["float32"])


def test_pictures_that_no_step_uses_are_not_measured(quantized: Quantized) -> None:
    assert set(pd.read_csv(quantized.run.path("predictions.csv"))["part"]) == {"validation", "test"}


def test_the_document_is_read_back_whole(quantized: Quantized) -> None:
    assert read_format_comparison(quantized.run) == quantized.comparison


def test_a_document_of_an_earlier_version_asks_for_the_step_again(again: Run) -> None:
    again.path("quantization.json").write_text(json.dumps({"size_bytes": 1.0}), encoding="utf-8")
    with pytest.raises(UsageError, match="train quantize"):
        read_format_comparison(again)


def test_a_16_bit_conversion_that_moved_the_logits_is_not_shipped(
    quantized: Quantized, again: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_a_moved_student(student: keras.Model, config: ExperimentConfig) -> bytes:
        kernel, bias = student.get_layer("activation_map").get_weights()
        moved = keras.models.clone_model(student)
        moved.set_weights(student.get_weights())
        moved.get_layer("activation_map").set_weights([kernel, bias + 1.0])
        return to_tflite_fp16(moved, config)

    monkeypatch.setattr(step, "to_tflite_fp16", of_a_moved_student)
    monkeypatch.setattr(step, "to_tflite_int8", kept(quantized, "student_int8.tflite"))
    with pytest.raises(ModelError, match=r"moved a logit by (1\.|0\.9)"):
        step.quantize(CONFIG, again, quantized.decoded)
    assert not again.path("student.tflite").exists()
    assert read_format_comparison(again).max_logit_change > 0.9


def test_a_16_bit_conversion_that_moved_auroc_is_stopped(quantized: Quantized) -> None:
    from msgspec.structs import replace

    comparison = quantized.comparison
    gate(replace(comparison, auroc_validation_tflite=comparison.auroc_validation_keras - 0.0019))
    with pytest.raises(ModelError, match="validation AUROC by 0"):
        gate(replace(comparison, auroc_validation_tflite=comparison.auroc_validation_keras - 0.0021))


def test_an_8_bit_conversion_that_moved_the_logits_stops_nothing(
    quantized: Quantized, again: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calibrated on pictures a tenth as strong as real ones, so that activations are cut off."""
    real = step.calibration_inputs
    monkeypatch.setattr(step, "to_tflite_fp16", kept(quantized, "student.tflite"))
    monkeypatch.setattr(step, "calibration_inputs", lambda *given: real(*given) * np.float32(0.1))
    comparison = step.quantize(CONFIG, again, quantized.decoded)
    assert of_format(comparison, "int8").max_logit_change > 0.5
    assert comparison.max_logit_change < 0.2
    assert again.path("student.tflite").read_bytes() == quantized.run.path("student.tflite").read_bytes()
