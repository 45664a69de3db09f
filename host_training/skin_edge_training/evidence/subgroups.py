"""The same figures by kind of picture: diagnosis, age, sex, site, source, skin type, or any other column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from skin_edge.model.manifest import Estimate
from skin_edge_training.evidence.document import Subgroup
from skin_edge_training.statistics import (
    Metric,
    Vector,
    auroc,
    brier,
    intervals,
    sensitivity_at,
    share_within,
    specificity_at,
)

UNKNOWN = "unknown"

#: Upper ends (exclusive) of the age bands, in years.
AGE_BANDS = (30, 45, 60, 75)

#: A column of numbers with more values than this is cut into quarters.
MAX_NUMBERS = 8

#: Rarer values than this many are put together.
MAX_VALUES = 24

#: With more distinct values than this share of the pictures, a column names pictures, not kinds.
MAX_DISTINCT_SHARE = 0.5

#: Fewer pictures of a class than this say little.
FEW = 10


def kinds_of(values: pd.Series, name: str) -> pd.Categorical | None:
    """Return the kind of each picture, or None where the column says no kinds.

    Ages become bands, other numbers quarters; the rarest of many values are put together. The categories are
    in the order of reading: numbers rising, other values the most frequent first, the unknown last.

    Args:
        values: a column of labels as text; empty, `nan` and `unknown` are all not known.
        name: of the column; one that begins with `age` holds years.
    """
    text = values.astype(str).str.strip()
    known = ~text.str.lower().isin({"", "nan", "na", "none", UNKNOWN})
    if not known.any():
        return None
    numbers = pd.to_numeric(text.where(known), errors="coerce")
    numeric = bool(np.isfinite(numbers[known]).all())
    if numeric and name.lower().startswith("age"):
        return _banded(numbers, AGE_BANDS)
    distinct = text[known].nunique()
    if numeric and distinct > MAX_NUMBERS:
        quarters = np.quantile(numbers[known], (0.25, 0.5, 0.75))
        return _banded(numbers, sorted({float(f"{quarter:.6g}") for quarter in quarters}))
    if distinct > max(MAX_NUMBERS, MAX_DISTINCT_SHARE * len(text)):
        return None
    if numeric:
        text = numbers.map("{:g}".format)
        rising = dict.fromkeys(text[numbers.sort_values().index][known])
        return pd.Categorical(text.where(known, UNKNOWN), [*rising, UNKNOWN])
    names = list(text[known].value_counts().index[:MAX_VALUES])
    rest = f"{distinct - len(names)} rarer values"
    text = text.where(text.isin(names), rest).where(known, UNKNOWN)
    return pd.Categorical(text, [*names, rest, UNKNOWN])


def _banded(numbers: pd.Series, cuts: Sequence[float]) -> pd.Categorical:
    names = [f"below {cuts[0]:g}"]
    names += [f"{low:g} to below {high:g}" for low, high in pairwise(cuts)]
    names += [f"{cuts[-1]:g} and above", UNKNOWN]
    places = np.where(numbers.isna(), len(names) - 1, np.searchsorted(cuts, numbers, side="right"))
    return pd.Categorical.from_codes(places, names)


def measure_subgroups(
    predictions: pd.DataFrame,
    kinds: Mapping[str, pd.Categorical],
    threshold: float,
    band: tuple[float, float],
    draws: npt.NDArray[np.uint16],
) -> tuple[Subgroup, ...]:
    """Return the figures of every value of every kind, in the order of its categories.

    The draws are those of the whole set, so that a kind's interval also holds how many of it are drawn.

    Args:
        predictions: columns malignant, probability, group and quality_ok.
        kinds: name to the kind of each picture.
        threshold: of the default operating point.
        band: where the answer is `uncertain`.
        draws: (R, N).
    """
    return tuple(
        _measure(predictions, np.asarray(values == value), kind, value, threshold, band, draws)
        for kind, values in kinds.items()
        for value in values.remove_unused_categories().categories
    )


def _measure(
    predictions: pd.DataFrame,
    rows: npt.NDArray[np.bool_],
    kind: str,
    value: str,
    threshold: float,
    band: tuple[float, float],
    draws: npt.NDArray[np.uint16],
) -> Subgroup:
    labels = predictions["malignant"].to_numpy(np.float64)
    scores = predictions["probability"].to_numpy(np.float64)
    malignant, images = int(labels[rows].sum()), int(rows.sum())
    metrics: dict[str, Metric] = {
        "sensitivity": sensitivity_at(threshold),
        "specificity": specificity_at(threshold),
        "brier": brier,
        "uncertain": share_within(*band),
    }
    measured = intervals(metrics, labels[rows], scores[rows], draws[:, rows])
    both = 0 < malignant < images
    compared = rows if both else rows | (labels != labels[rows][0])
    return Subgroup(
        kind=kind,
        value=value,
        images=images,
        groups=int(predictions["group"][rows].nunique()),
        malignant=malignant,
        few=any(0 < count < FEW for count in (malignant, images - malignant)),
        auroc=_area(labels[compared], scores[compared], draws[:, compared]),
        auroc_against="own kind" if both else "whole set",
        sensitivity=measured["sensitivity"],
        specificity=measured["specificity"],
        brier=measured["brier"],
        uncertain=measured["uncertain"],
        refused=int((~predictions["quality_ok"][rows].astype(bool)).sum()),
    )


def _area(labels: Vector, scores: Vector, draws: npt.NDArray[np.uint16]) -> Estimate | None:
    return intervals({"auroc": auroc}, labels, scores, draws)["auroc"]
