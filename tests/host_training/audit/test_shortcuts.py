"""Trivial figures that tell the label are reported as such, and those that do not are not."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from skin_edge_training.audit.shortcuts import MIN_GROUPS, measure_shortcuts
from skin_edge_training.audit.statistics import jpeg_quantisation, trivial_statistics

Rgb = npt.NDArray[np.uint8]


def quiet(items: range, description: str) -> range:
    return items


def sets(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    label = np.where(np.arange(count) % 2, "malignant", "benign")
    table = pd.DataFrame({"set": "s", "label": label, "source": ""})
    figures = pd.DataFrame(
        {
            "colour.red.mean": rng.normal(size=count),
            "border.dark": (label == "malignant") * 2.0 + rng.normal(size=count),
            "compression.width": 224.0,
        }
    )
    return table, figures


def test_the_family_that_gives_the_label_away_is_named_and_the_others_are_at_chance() -> None:
    table, figures = sets(400)
    result = measure_shortcuts(table, figures, np.arange(400), quiet, 2)
    score = result.loc[result["model"] == "logistic"].set_index("figures")["auroc"]
    assert score["border"] == pytest.approx(0.92, abs=0.03)  # two normals two standard deviations apart
    assert score["colour"] == pytest.approx(0.5, abs=0.08)
    assert score["compression"] == pytest.approx(0.5)
    assert set(result["target"]) == {"label"}  # one set, no sources: nothing else to ask


def test_a_picture_and_its_copies_are_never_on_both_sides_of_a_fold() -> None:
    # Figures that tell only which lesion a picture shows: knowing the lesion's other pictures would tell all.
    lesions, copies = 48, 4
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(lesions), copies)
    own = rng.normal(size=(lesions, 3))[groups]
    table = pd.DataFrame({"set": "s", "label": rng.permutation(np.arange(lesions) % 2)[groups].astype(str)})
    table["source"] = ""
    figures = pd.DataFrame(own, columns=["colour.a", "border.a", "compression.a"])
    torn = measure_shortcuts(table, figures, np.arange(len(groups)), quiet, 2)
    whole = measure_shortcuts(table, figures, groups, quiet, 2)
    best = {
        name: r.loc[r["figures"] == "all", "auroc"].max() for name, r in (("torn", torn), ("whole", whole))
    }
    assert best["torn"] > 0.95
    assert best["whole"] < 0.75


def test_classes_too_small_to_cross_validate_are_left_out() -> None:
    table, figures = sets(2 * MIN_GROUPS - 2)
    assert measure_shortcuts(table, figures, np.arange(len(table)), quiet, 1).empty


def test_statistics_see_corners_compression_and_size(lesion: Callable[..., Rgb]) -> None:
    picture = lesion(1)
    dark = picture.copy()
    dark[:40, :40] = 0
    coded = {q: cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, q])[1].tobytes() for q in (50, 95)}
    plain, marked = (trivial_statistics(p, coded[95]) for p in (picture, dark))
    assert marked["border.rank0.red"] == 0 < plain["border.rank0.red"]
    assert marked["compression.width"] == 200
    assert jpeg_quantisation(coded[50]) > 5 * jpeg_quantisation(coded[95]) > 0
    assert jpeg_quantisation(cv2.imencode(".png", picture)[1].tobytes()) == 0
    assert jpeg_quantisation(coded[50][:30]) == 0
    assert all(np.isfinite(list(plain.values())))
