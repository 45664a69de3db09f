"""metrics.json, typed: everything that the report shows comes from here."""

from __future__ import annotations

from typing import Literal

import msgspec

from skin_edge import DISCLAIMER
from skin_edge.model.manifest import Estimate
from skin_edge.strict import Strict

SCHEMA_VERSION = 1


class LeftOut(Strict, frozen=True):
    """What is in no figure, by name."""

    images_without_label: tuple[str, ...] = ()
    labels_without_image: tuple[str, ...] = ()
    labels_of_several_images: tuple[str, ...] = ()
    unreadable_images: tuple[str, ...] = ()

    def count(self) -> int:
        """How many in all."""
        return sum(len(getattr(self, name)) for name in self.__struct_fields__)


class Model(Strict, frozen=True):
    """Which bundle was measured."""

    name: str
    version: str
    model_sha256: str
    trained_on: tuple[str, ...]
    split_sha256: str
    leaks: bool
    temperature: float
    seed: int
    data_sha256: str | None
    experiment_sha256: str | None
    git_commit: str | None


class DataSet(Strict, frozen=True):
    """On which pictures. `groups` are what the bootstrap draws; the SHA-256 are of labels and pictures."""

    name: str
    images: int
    groups: int
    grouped_by: str
    malignant: int
    prevalence: float
    labels_sha256: str
    images_sha256: str


class Confusion(Strict, frozen=True):
    """Pictures by truth and answer at one threshold."""

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int


class OperatingPointFigures(Strict, frozen=True):
    """A threshold of the bundle on this set. PPV and NPV are those at this set's prevalence.

    `stated_*` is what the bundle's manifest says of its own held-out lesions.
    """

    name: str
    default: bool
    threshold: float
    chosen_on: str
    sensitivity: Estimate | None
    specificity: Estimate | None
    ppv: Estimate | None
    npv: Estimate | None
    accuracy: Estimate | None
    confusion: Confusion
    stated_sensitivity: Estimate
    stated_specificity: Estimate


class ReliabilityBin(Strict, frozen=True):
    """Probabilities from `low` to `high`, their mean, and how many of those pictures are malignant."""

    low: float
    high: float
    images: int
    mean_probability: float
    malignant: Estimate | None


class AbstentionPoint(Strict, frozen=True):
    """Errors among the `coverage` share of pictures that lie farthest from the default threshold."""

    coverage: float
    error: Estimate | None
    sensitivity: Estimate | None
    specificity: Estimate | None


class PrevalencePoint(Strict, frozen=True):
    """What an answer would mean where `prevalence` of the lesions are malignant."""

    operating_point: str
    prevalence: float
    ppv: Estimate | None
    npv: Estimate | None


class RocPoint(Strict, frozen=True):
    """The highest sensitivity at a specificity."""

    specificity: float
    sensitivity: Estimate | None


class Subgroup(Strict, frozen=True):
    """Pictures of one kind, at the default operating point.

    `auroc_against` says against whom: the kind's own other class, or, where it has one class only, all
    pictures of the other class in the set. `few` marks fewer than ten of a class that the kind has.
    """

    kind: str
    value: str
    images: int
    groups: int
    malignant: int
    few: bool
    auroc: Estimate | None
    auroc_against: Literal["own kind", "whole set"]
    sensitivity: Estimate | None
    specificity: Estimate | None
    brier: Estimate | None
    uncertain: Estimate | None
    refused: int


class QualityGate(Strict, frozen=True):
    """What the gate would refuse to answer; these pictures are in all figures."""

    refused: int
    share: Estimate | None
    reasons: dict[str, int]


class Answers(Strict, frozen=True):
    """What the device tells: truth to answer to number of pictures, gate and abstain band included."""

    malignant: dict[str, int]
    benign: dict[str, int]


class Bootstrap(Strict, frozen=True):
    """How the intervals were made."""

    level: float
    resamples: int
    seed: int
    unit: str


class Evidence(Strict, frozen=True, kw_only=True):
    """The content of metrics.json. None stands for a figure that is not defined on these pictures.

    `git_commit` and `versions` are those of the measurement, `model` holds those of the training.
    """

    schema_version: int = SCHEMA_VERSION
    notice: str = DISCLAIMER
    cautions: tuple[str, ...]
    model: Model
    data: DataSet
    figures: dict[str, Estimate | None]
    operating_points: tuple[OperatingPointFigures, ...]
    reliability: tuple[ReliabilityBin, ...]
    roc: tuple[RocPoint, ...]
    abstention: tuple[AbstentionPoint, ...]
    prevalence: tuple[PrevalencePoint, ...]
    subgroups: tuple[Subgroup, ...]
    quality_gate: QualityGate
    answers: Answers
    left_out: LeftOut
    bootstrap: Bootstrap
    git_commit: str | None = None
    versions: dict[str, str] = msgspec.field(default_factory=dict)
