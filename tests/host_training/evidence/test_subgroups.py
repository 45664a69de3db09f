"""Which kinds a column names, and figures of each kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skin_edge_training.evidence.subgroups import kinds_of, measure_subgroups
from skin_edge_training.statistics import draw_weights


def _column(*values: object) -> pd.Series:
    return pd.Series([str(value) for value in values])


def test_ages_become_bands_and_unknown_ones_stay_apart() -> None:
    kinds = kinds_of(_column("29.9", 30, 44, 45, 75, "90.0", "", "nan", "unknown"), "age_approx")
    assert kinds is not None
    assert list(kinds) == [
        "below 30",
        "30 to below 45",
        "30 to below 45",
        "45 to below 60",
        "75 and above",
        "75 and above",
        *["unknown"] * 3,
    ]
    assert next(iter(kinds.remove_unused_categories().categories)) == "below 30"
    assert list(kinds.categories)[-1] == "unknown"


def test_many_numbers_become_quarters_and_few_stay_numbers_in_order() -> None:
    quarters = kinds_of(pd.Series([str(n) for n in range(100)]), "thickness")
    assert quarters is not None
    assert quarters.value_counts().loc[lambda counts: counts > 0].to_list() == [25, 25, 25, 25]
    types = kinds_of(_column("3.0", 1, 2, 1, 6, 5, 4, "", 3, 1), "skin_type")
    assert types is not None
    assert list(types.remove_unused_categories().categories) == ["1", "2", "3", "4", "5", "6", "unknown"]


def test_words_come_most_frequent_first_and_rare_ones_together() -> None:
    words = ["back"] * 200 + ["face"] * 100 + [f"place {n}" for n in range(30) for _ in range(2)]
    kinds = kinds_of(pd.Series(words), "site")
    assert kinds is not None
    assert list(kinds.categories)[:2] == ["back", "face"]
    assert (kinds == "8 rarer values").sum() == 16


def test_a_column_of_names_or_of_nothing_is_no_kind() -> None:
    assert kinds_of(pd.Series([f"patient {n}" for n in range(100)]), "patient") is None
    assert kinds_of(_column("", "", "nan"), "site") is None


def test_figures_of_a_kind_by_hand() -> None:
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0], float)
    scores = np.array([0.9, 0.8, 0.3, 0.6, 0.7, 0.1, 0.2, 0.55, 0.9, 0.2, 0.1, 0.6])
    predictions = pd.DataFrame(
        {
            "malignant": labels,
            "probability": scores,
            "group": np.arange(12) // 2,
            "quality_ok": [True] * 11 + [False],
        }
    )
    kinds = {"kind": pd.Categorical(["mel"] * 4 + ["nv"] * 4 + ["mixed"] * 4, ["mel", "nv", "mixed"])}
    draws = draw_weights(labels, predictions["group"].to_numpy(), seed=0, resamples=300)
    mel, nv, mixed = measure_subgroups(predictions, kinds, 0.5, (0.4, 0.65), draws)
    assert (mel.value, mel.images, mel.groups, mel.malignant, mel.few) == ("mel", 4, 2, 4, True)
    assert mel.sensitivity is not None
    assert mel.sensitivity.value == pytest.approx(3 / 4)
    assert mel.specificity is None
    assert mel.auroc_against == "whole set"
    rows = np.array([True] * 8 + [False, False, True, True])
    assert mel.auroc is not None
    assert mel.auroc.value == pytest.approx(roc_auc_score(labels[rows], scores[rows]))
    assert nv.specificity is not None
    assert nv.specificity.value == pytest.approx(2 / 4)
    assert nv.uncertain is not None
    assert nv.uncertain.value == pytest.approx(1 / 4)
    assert mixed.auroc_against == "own kind"
    assert mixed.refused == 1
