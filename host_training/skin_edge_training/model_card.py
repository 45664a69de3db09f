"""MODEL_CARD.md: what the model is, what it was measured to do, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from skin_edge import DISCLAIMER
from skin_edge.model.manifest import Estimate, Manifest
from skin_edge.strict import dump_yaml
from skin_edge_training.config import ExperimentConfig
from skin_edge_training.evaluate import Evaluation
from skin_edge_training.evidence.document import Evidence
from skin_edge_training.formats import COLUMNS, MAX_LOGIT_CHANGE, FormatComparison
from skin_edge_training.provenance import Provenance
from skin_edge_training.statistics import predictive_values

INTENDED_USE = (
    "Research, and as an aid to triage of pigmented skin lesions in dermoscopic pictures by people who are "
    "trained to examine skin. It does not diagnose, does not rule out cancer, and must not delay a visit to "
    "a clinician. Not a medical device; not evaluated in a clinic."
)

#: What is known of a set beyond its pictures, by its name.
ORIGINS = {
    "ham10000": "dermoscopic pictures of mostly light-skinned people in Austria and Australia (HAM10000)",
    "kaggle_bm": "pictures of the ISIC archive, most of them HAM10000's, the classes from different cameras",
}

LIMITS = """\
- Learnt from {origins}. Skin types V and VI, mucosa, nails, children and plain (non-dermoscopic)
  photographs were not measured.
- Pictures from other clinics and cameras cost accuracy and calibration: in published comparisons 0.1 of
  AUROC and more. Probabilities hold for the prevalence of the training data ({prevalence:.1%} malignant),
  which is far above that of a screening population.
- The label comes from histology for some lesions and from follow-up, consensus or confocal microscopy for
  others. Benign lesions of the rarer kinds are few.
- At a prevalence of 2 % most lesions flagged `malignant` are benign: see the last column of that table."""


def model_card(
    manifest: Manifest,
    evaluation: Evaluation,
    experiment: ExperimentConfig,
    table: pd.DataFrame,
    quantization: FormatComparison,
    made: Provenance,
    evidence: Evidence | None = None,
    distillation: str | None = None,
) -> str:
    """Return the card as Markdown.

    Args:
        manifest: of the bundle that the card goes into.
        evaluation: what was chosen and measured.
        experiment: behind it.
        table: the run's.
        quantization: the formats side by side.
        made: where it comes from.
        evidence: what the bundle is worth on the held-out lesions, through the device's code.
        distillation: what came of comparing with the control arm, a sentence.
    """
    counts = evaluation.counts
    # The report's own where there is a report: two bootstraps of one figure differ in the third decimal.
    measured = {} if evidence is None else {n: e for n, e in evidence.figures.items() if e is not None}
    figures = evaluation.metrics | measured
    train = table[table["part"] == "train"]
    sections = [
        f"# {manifest.name} {manifest.version}",
        f"> {DISCLAIMER}",
        *([f"> **{made.leak}**"] if made.leak is not None else []),
        "## Intended use",
        INTENDED_USE,
        "## What it is",
        (
            f"EfficientNet-Lite0's stem and first {experiment.student.blocks} blocks, a separable tail and a "
            f"1x1 head, {_taught(experiment)}. Input "
            f"{manifest.input.height} x {manifest.input.width} RGB, output the log-odds of malignant and "
            f"{_map_note(experiment)}. 16-bit TFLite, {quantization.size_bytes:,} bytes."
        ),
        "## Data",
        (
            f"{', '.join(manifest.training.data)}; labels that count as malignant: "
            f"{', '.join(experiment.data.malignant)} (of HAM10000: mel, bcc, akiec). {_split(experiment)}, "
            f"seed {manifest.training.seed}, sha256 of the split file `{manifest.training.split_sha256}`."
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
                ("AUROC", *_cells(figures["auroc"])),
                ("AUPRC", *_cells(figures["auprc"])),
                ("Brier score", *_cells(figures["brier"])),
                ("ECE, ten equal-mass bins", *_cells(figures["ece"])),
                ("share answered `uncertain`", *_cells(figures["answered uncertain"])),
                ("sensitivity of `refer`", *_cells(figures["sensitivity of refer"])),
                ("specificity of `refer`", *_cells(figures["specificity of refer"])),
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
        *(_evidence(evidence) if evidence is not None else []),
        *(["## Distillation", distillation] if distillation is not None else []),
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
        LIMITS.format(
            origins="; ".join(ORIGINS.get(name, f"the set {name}") for name in manifest.training.data),
            prevalence=table["malignant"].mean(),
        ),
        *(
            ["\n".join(f"- {limit}" for limit in limits)]
            if (limits := experiment.bundle.known_limits)
            else []
        ),
        "## Licences",
        "\n".join(f"- {licence}" for licence in manifest.training.licences),
        "The weights are for research and non-commercial use, as the data's licence asks.",
        "## Made with",
        "\n".join(f"- {name} {version}" for name, version in manifest.libraries.items()),
        (
            f"Code: skin-edge {made.skin_edge}, commit {made.git_commit or 'not known'}; {made.machine}. "
            f"{made.pictures:,} pictures, sha256 `{made.data_sha256}`. Experiment, sha256 "
            f"`{made.config_sha256}`:"
        ),
        f"```yaml\n{dump_yaml(experiment)}```",
    ]
    return "\n\n".join(sections) + "\n"


def _evidence(evidence: Evidence) -> list[str]:
    """Figures of the report that the tables above do not have; the plots are in the report."""
    shown = {n: e for n, e in evidence.figures.items() if " at " in n and e is not None}
    groups = [g for g in evidence.subgroups if g.kind != "quality gate"]
    return [
        "Best thresholds on the test part itself, which describe the curve and promise nothing:",
        _markdown(("figure", "value", "95 % CI"), [(name, *_cells(e)) for name, e in shown.items()]),
        "### Subgroups, at the default operating point",
        _markdown(
            ("kind", "pictures", "malignant", "AUROC (95 % CI)", "sensitivity", "specificity"),
            [
                (
                    f"{g.kind}: {g.value}{' (few)' if g.few else ''}",
                    g.images,
                    g.malignant,
                    *(_one_cell(e) for e in (g.auroc, g.sensitivity, g.specificity)),
                )
                for g in groups
            ],
        ),
        (
            "AUROC of a kind with one class is against all pictures of the other class. Of the test pictures "
            f"the quality gate would refuse {evidence.quality_gate.refused}; they are in all figures."
        ),
    ]


def _one_cell(estimate: Estimate | None) -> str:
    return "" if estimate is None else "{} ({})".format(*_cells(estimate))


def _taught(experiment: ExperimentConfig) -> str:
    distillation = experiment.distillation
    if distillation is None:
        return "trained on the labels alone"
    teachers = "a larger network"
    if distillation.control_teaches:
        teachers += ", averaged with one of its own kind,"
    return (
        f"trained on the labels and on what {teachers} said of the same views "
        f"(alpha {distillation.alpha:g}, temperature {distillation.temperature:g})"
    )


def _split(experiment: ExperimentConfig) -> str:
    if experiment.data.split.by == "lesions":
        return "Split by lesion, copies and siblings joined"
    kept = (
        "lesions of the test part left out of training"
        if experiment.data.split.drop_leaking
        else "as they come"
    )
    return f"The sets' own train and test folders, {kept}"


def _map_note(experiment: ExperimentConfig) -> str:
    exact = experiment.student.pooling == "average"
    return "an exact class-activation map" if exact else "a map of evidence"


def _cells(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:.3f}", f"{estimate.low:.3f}-{estimate.high:.3f}"


def _markdown(header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines: list[tuple[object, ...]] = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
