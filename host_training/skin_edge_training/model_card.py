"""MODEL_CARD.md: what the model is, what it was measured to do, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from skin_edge import DISCLAIMER
from skin_edge.model.manifest import Estimate, Manifest
from skin_edge_training.config import ExperimentConfig
from skin_edge_training.evaluate import Evaluation
from skin_edge_training.formats import COLUMNS, MAX_LOGIT_CHANGE, FormatComparison
from skin_edge_training.statistics import predictive_values

INTENDED_USE = (
    "Research, and as an aid to triage of pigmented skin lesions in dermoscopic pictures by people who are "
    "trained to examine skin. It does not diagnose, does not rule out cancer, and must not delay a visit to "
    "a clinician. Not a medical device; not evaluated in a clinic."
)

LIMITS = """\
- Learnt from dermoscopic pictures of mostly light-skinned people in Austria and Australia (HAM10000). Skin
  types V and VI, mucosa, nails, children and plain (non-dermoscopic) photographs were not measured.
- Pictures from other clinics and cameras cost accuracy and calibration: in published comparisons 0.1 of
  AUROC and more. Probabilities hold for the prevalence of HAM10000 ({prevalence:.1%} malignant), which is far
  above that of a screening population.
- The label comes from histology for some lesions and from follow-up, consensus or confocal microscopy for
  others. Benign lesions of the rarer kinds are few.
- At a prevalence of 2 % most lesions flagged `malignant` are benign: see the last column of that table."""


def model_card(
    manifest: Manifest,
    evaluation: Evaluation,
    experiment: ExperimentConfig,
    table: pd.DataFrame,
    quantization: FormatComparison,
) -> str:
    """Return the card as Markdown."""
    counts = evaluation.counts
    train = table[table["part"] == "train"]
    sections = [
        f"# {manifest.name} {manifest.version}",
        f"> {DISCLAIMER}",
        "## Intended use",
        INTENDED_USE,
        "## What it is",
        (
            f"EfficientNet-Lite0's stem and first {experiment.student.blocks} blocks, a separable tail and a "
            "1x1 head, trained on the labels alone (no distillation). Input "
            f"{manifest.input.height} x {manifest.input.width} RGB, output the log-odds of malignant and "
            f"{_map_note(experiment)}. 16-bit TFLite, {quantization.size_bytes:,} bytes."
        ),
        "## Data",
        (
            "HAM10000, classes mel, bcc and akiec as malignant, the rest as benign. Split by lesion with "
            f"near-duplicates joined, seed {manifest.training.seed}, sha256 of the split file "
            f"`{manifest.training.split_sha256}`."
        ),
        _markdown(
            ("part", "pictures", "lesions", "malignant pictures"),
            [
                ("train", len(train), train["group"].nunique(), int(train["malignant"].sum())),
                *((p, c["pictures"], c["lesions"], c["malignant"]) for p, c in counts.items()),
            ],
        ),
        "## On held-out lesions",
        (
            "Measured on the test part with the shipped file through the device's own code. Intervals are "
            "95 %, by bootstrap over lesions. Temperature, thresholds and the abstain band were chosen "
            "on the validation part; the test part was used for nothing else."
        ),
        _markdown(
            ("figure", "value", "95 % CI"),
            [
                ("AUROC", *_cells(evaluation.metrics["auroc"])),
                ("AUPRC", *_cells(evaluation.metrics["auprc"])),
                ("Brier score", *_cells(evaluation.metrics["brier"])),
                ("ECE, ten equal-mass bins", *_cells(evaluation.metrics["ece"])),
                ("share answered `uncertain`", *_cells(evaluation.metrics["answered uncertain"])),
                ("sensitivity of `refer`", *_cells(evaluation.metrics["sensitivity of refer"])),
                ("specificity of `refer`", *_cells(evaluation.metrics["specificity of refer"])),
            ],
        ),
        "`refer` is true for `malignant` and `uncertain`.",
        _markdown(
            (
                "operating point",
                "threshold",
                "sensitivity",
                "95 % CI",
                "specificity",
                "95 % CI",
                "PPV at 2 %",
            ),
            [
                (
                    f"**{p.name}** (default)" if p.name == manifest.default_operating_point else p.name,
                    f"{p.threshold:.3f}",
                    *_cells(p.sensitivity),
                    *_cells(p.specificity),
                    f"{predictive_values(p.sensitivity.value, p.specificity.value, 0.02)[0]:.1%}",
                )
                for p in manifest.operating_points
            ],
        ),
        (
            f"Temperature {manifest.temperature:.3f}; answers between {manifest.abstain_band.low:.3f} and "
            f"{manifest.abstain_band.high:.3f} are `uncertain`."
        ),
        "## Quantization",
        _markdown(COLUMNS, quantization.cells()),
        (
            "TFLite logits are from the device's own runtime; their changes are against float32, over "
            f"validation and test pictures. A 16-bit file that moves a logit by more than {MAX_LOGIT_CHANGE} "
            f"is not packaged. int8 is full-integer, calibrated on {quantization.calibration_pictures} "
            "training pictures, and not in this bundle. Calibration error and flips are on test, with the "
            "temperature and the default threshold that each format got on validation. Bytes of float32 are "
            "those of its weights. Times are medians of one thread on the machine that converted: compare "
            "the ratio."
        ),
        "## Limits",
        LIMITS.format(prevalence=table["malignant"].mean()),
        "## Licences",
        "\n".join(f"- {licence}" for licence in manifest.training.licences),
        "The weights are for research and non-commercial use, as the data's licence asks.",
        "## Made with",
        "\n".join(f"- {name} {version}" for name, version in manifest.libraries.items()),
    ]
    return "\n\n".join(sections) + "\n"


def _map_note(experiment: ExperimentConfig) -> str:
    exact = experiment.student.pooling == "average"
    return "an exact class-activation map" if exact else "a map of evidence"


def _cells(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:.3f}", f"{estimate.low:.3f}-{estimate.high:.3f}"


def _markdown(header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines: list[tuple[object, ...]] = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
