"""What the packaged student is worth: chosen on validation lesions, measured on held-out ones.

Everything is computed from the logits that the shipped TFLite file gave through `skin_edge`'s runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from skin_edge.model.manifest import AbstainBand, Estimate, OperatingPoint
from skin_edge_training.config import DecisionConfig
from skin_edge_training.statistics import (
    Metric,
    abstain_band,
    auroc,
    average_precision,
    brier,
    calibration_error,
    estimate,
    fit_temperature,
    sensitivity_at,
    share_within,
    specificity_at,
    threshold_for_sensitivity,
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Choices made on validation, and figures measured on test.

    Attributes:
        temperature: fitted on validation.
        operating_points: thresholds chosen on validation, sensitivity and specificity measured on test.
        default_operating_point: name of one of them.
        abstain_band: chosen on validation around the default operating point.
        metrics: other figures on test, each with a 95 % interval.
        counts: pictures, lesions and malignant pictures of each part.
    """

    temperature: float
    operating_points: tuple[OperatingPoint, ...]
    default_operating_point: str
    abstain_band: AbstainBand
    metrics: dict[str, Estimate]
    counts: dict[str, dict[str, int]]


def operating_point_name(sensitivity: float) -> str:
    """``sensitivity-90`` for 0.90."""
    return f"sensitivity-{round(sensitivity * 100)}"


#: Figures of the probabilities alone, under the names that a bundle's manifest gives them.
SCORE_METRICS: Mapping[str, Metric] = {
    "auroc": auroc,
    "auprc": average_precision,
    "brier": brier,
    "ece": calibration_error,
}


def decision_metrics(thresholds: Mapping[str, float], band: tuple[float, float]) -> dict[str, Metric]:
    """Return the figures of answers at operating points, by name.

    Args:
        thresholds: operating point to probability.
        band: answers in [low, high) are `uncertain`, and referred like those above.
    """
    low, high = band
    metrics: dict[str, Metric] = {}
    for name, threshold in thresholds.items():
        metrics[f"{name} sensitivity"] = sensitivity_at(threshold)
        metrics[f"{name} specificity"] = specificity_at(threshold)
    metrics["answered uncertain"] = share_within(low, high)
    metrics["sensitivity of refer"] = sensitivity_at(low)
    metrics["specificity of refer"] = specificity_at(low)
    return metrics


def evaluate(predictions: pd.DataFrame, config: DecisionConfig, seed: int) -> Evaluation:
    """Choose on the validation rows of `predictions`, measure on its test rows.

    Args:
        predictions: columns part, group, malignant and logit_tflite.
        config: which sensitivities to aim at and how many answers may be withheld.
        seed: of the bootstrap.
    """
    chosen_on = predictions[predictions["part"] == "validation"]
    measured_on = predictions[predictions["part"] == "test"]
    labels = chosen_on["malignant"].to_numpy(np.float64)
    temperature = fit_temperature(chosen_on["logit_tflite"].to_numpy(), labels)
    chosen_scores = expit(chosen_on["logit_tflite"].to_numpy() / temperature)
    scores = expit(measured_on["logit_tflite"].to_numpy() / temperature)
    targets = {operating_point_name(s): s for s in config.sensitivities}
    thresholds = {n: threshold_for_sensitivity(labels, chosen_scores, s) for n, s in targets.items()}
    default = operating_point_name(config.default_sensitivity)
    low, high = abstain_band(chosen_scores, thresholds[default], config.abstain_coverage)
    metrics = {**SCORE_METRICS, **decision_metrics(thresholds, (low, high))}
    measured = estimate(
        metrics,
        measured_on["malignant"].to_numpy(np.float64),
        scores,
        measured_on["group"].to_numpy(np.int64),
        seed=seed,
    )
    points = tuple(
        OperatingPoint(
            name=name,
            threshold=threshold,
            sensitivity=measured.pop(f"{name} sensitivity"),
            specificity=measured.pop(f"{name} specificity"),
            chosen_on="validation lesions",
        )
        for name, threshold in thresholds.items()
    )
    counts = {
        part: {
            "pictures": len(rows),
            "lesions": int(rows["group"].nunique()),
            "malignant": int(rows["malignant"].sum()),
        }
        for part, rows in (("validation", chosen_on), ("test", measured_on))
    }
    return Evaluation(temperature, points, default, AbstainBand(low=low, high=high), measured, counts)
