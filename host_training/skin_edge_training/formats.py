"""What each number format of a student costs and gives, and the gate before the one that is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from skin_edge.errors import ModelError, UsageError
from skin_edge.strict import Strict
from skin_edge_training.run import Run
from skin_edge_training.statistics import calibration_error, fit_temperature, threshold_for_sensitivity

#: Rounding the shipped student's weights to 16 bit moves the median logit by 0.007 and the worst of 3,003 by
#: 0.09, in a range from -13 to 8. A conversion that goes wrong moves them by whole units.
MAX_LOGIT_CHANGE = 0.2
MAX_AUROC_CHANGE = 0.002

Format = Literal["float32", "fp16", "int8"]

#: Where predictions.csv keeps the logits of each format.
LOGIT_COLUMNS: Mapping[Format, str] = {
    "float32": "logit_keras",
    "fp16": "logit_tflite",
    "int8": "logit_int8",
}

TITLES: Mapping[Format, str] = {
    "float32": "float32, Keras",
    "fp16": "fp16, shipped",
    "int8": "int8, measured only",
}

COLUMNS = (
    *("format", "bytes", "AUROC validation", "AUROC test", "ECE test"),
    *("largest logit change", "median logit change", "answers that flip", "invoke ms", "invoke to fp16"),
)


class FormatFigures(Strict, frozen=True):
    """One format. Changes are against float32, over validation and test pictures together.

    Attributes:
        format: float32 is the Keras student itself.
        size_bytes: of the file; of float32 the weights alone, four bytes each.
        auroc_validation: on the validation part.
        auroc_test: on the test part.
        temperature: fitted on validation, for this format.
        ece_test: calibration error on test at that temperature, ten equal-mass bins.
        max_logit_change: largest |Δlogit|, in log-odds.
        median_logit_change: median |Δlogit|, in log-odds.
        flipped_test: share of test pictures that change sides of the default operating point, which each
            format sets for itself on validation.
        invoke_ms: median milliseconds of one call on the machine that converted, one thread; None for Keras.
        invoke_to_fp16: the same as a ratio to fp16, which travels better between machines.
    """

    format: Format
    size_bytes: int
    auroc_validation: float
    auroc_test: float
    temperature: float
    ece_test: float
    max_logit_change: float
    median_logit_change: float
    flipped_test: float
    invoke_ms: float | None
    invoke_to_fp16: float | None


class FormatComparison(Strict, frozen=True):
    """quantization.json: the shipped 16-bit file against Keras, and beside it every format that was tried.

    Attributes:
        size_bytes: of the 16-bit file.
        max_logit_change: largest |Δlogit| of it.
        auroc_validation_keras: before conversion.
        auroc_validation_tflite: after it, at 16 bit; so for test.
        calibration_pictures: training pictures that set the ranges of the 8-bit file.
        formats: float32, fp16, int8.
    """

    size_bytes: int
    max_logit_change: float
    auroc_validation_keras: float
    auroc_validation_tflite: float
    auroc_test_keras: float
    auroc_test_tflite: float
    calibration_pictures: int
    formats: tuple[FormatFigures, ...]

    def frame(self) -> pd.DataFrame:
        """One row a format, one column a figure: quantization.csv."""
        return pd.DataFrame([msgspec.structs.asdict(figures) for figures in self.formats])

    def cells(self) -> list[tuple[str, ...]]:
        """The table for people, one row a format, under `COLUMNS`."""
        return [
            (
                TITLES[f.format],
                f"{f.size_bytes:,}",
                f"{f.auroc_validation:.4f}",
                f"{f.auroc_test:.4f}",
                f"{f.ece_test:.4f}",
                f"{f.max_logit_change:.4f}",
                f"{f.median_logit_change:.4f}",
                f"{f.flipped_test:.2%}",
                "-" if f.invoke_ms is None else f"{f.invoke_ms:.3f}",
                "-" if f.invoke_to_fp16 is None else f"{f.invoke_to_fp16:.2f}",
            )
            for f in self.formats
        ]


def compare_formats(
    predictions: pd.DataFrame,
    *,
    size_bytes: Mapping[Format, int],
    invoke_ms: Mapping[Format, float],
    default_sensitivity: float,
    calibration_pictures: int,
) -> FormatComparison:
    """Return the figures of every format.

    Args:
        predictions: columns part, malignant and those of `LOGIT_COLUMNS`; validation and test rows.
        size_bytes: of every format.
        invoke_ms: of those that a device can run.
        default_sensitivity: what the default operating point aims at.
        calibration_pictures: how many set the ranges of the 8-bit file.
    """
    formats = tuple(
        FormatFigures(
            format=name,
            size_bytes=size_bytes[name],
            invoke_ms=invoke_ms.get(name),
            invoke_to_fp16=invoke_ms[name] / invoke_ms["fp16"] if name in invoke_ms else None,
            **_logit_figures(predictions, column, default_sensitivity),
        )
        for name, column in LOGIT_COLUMNS.items()
    )
    keras, fp16, _ = formats
    return FormatComparison(
        size_bytes=fp16.size_bytes,
        max_logit_change=fp16.max_logit_change,
        auroc_validation_keras=keras.auroc_validation,
        auroc_validation_tflite=fp16.auroc_validation,
        auroc_test_keras=keras.auroc_test,
        auroc_test_tflite=fp16.auroc_test,
        calibration_pictures=calibration_pictures,
        formats=formats,
    )


def _logit_figures(predictions: pd.DataFrame, column: str, default_sensitivity: float) -> dict[str, float]:
    reference = LOGIT_COLUMNS["float32"]
    change = (predictions[column] - predictions[reference]).abs()
    validation = predictions[predictions["part"] == "validation"]
    test = predictions[predictions["part"] == "test"]
    chosen_on = validation["malignant"].to_numpy(np.float64)
    measured_on = test["malignant"].to_numpy(np.float64)
    temperature = fit_temperature(validation[column].to_numpy(), chosen_on)
    probabilities = expit(test[column].to_numpy() / temperature)
    flagged = {  # thresholds on the logit: a temperature moves no picture across one
        name: test[name] >= threshold_for_sensitivity(chosen_on, validation[name], default_sensitivity)
        for name in (column, reference)
    }
    return {
        "auroc_validation": float(roc_auc_score(chosen_on, validation[column])),
        "auroc_test": float(roc_auc_score(measured_on, test[column])),
        "temperature": temperature,
        "ece_test": float(calibration_error(measured_on, probabilities, np.ones(len(test)))),
        "max_logit_change": float(change.max()),
        "median_logit_change": float(change.median()),
        "flipped_test": float((flagged[column] != flagged[reference]).mean()),
    }


def gate(comparison: FormatComparison) -> None:
    """Refuse a 16-bit file that moved logits or validation AUROC by more than rounding does.

    The 8-bit file is not judged: nobody ships it, and the table shows what it does.

    Raises:
        ModelError: with the figure and its limit.
    """
    if not comparison.max_logit_change <= MAX_LOGIT_CHANGE:
        moved = comparison.max_logit_change
        raise ModelError(f"quantization moved a logit by {moved:.4f}, the limit is {MAX_LOGIT_CHANGE}")
    change = abs(comparison.auroc_validation_keras - comparison.auroc_validation_tflite)
    if not change <= MAX_AUROC_CHANGE:
        raise ModelError(
            f"quantization moved validation AUROC by {change:.4f}, the limit is {MAX_AUROC_CHANGE}"
        )


def read_format_comparison(run: Run) -> FormatComparison:
    """Return what `quantize` left in quantization.json.

    Raises:
        UsageError: it has not run, or it was another version of it.
    """
    path = run.require("quantization.json", "quantize")
    try:
        return msgspec.json.decode(path.read_bytes(), type=FormatComparison)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path} does not hold what this version compares ({error}): "
            f"run 'skin-edge train quantize --run {run.directory}' again"
        ) from None
