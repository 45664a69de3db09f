"""Groups join copies and lesion ids; a split is checked against them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skin_edge.errors import UsageError
from skin_edge_training.audit.groups import group_pictures, label_conflicts, leaks, read_split
from skin_edge_training.audit.twins import Pair


def table(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["set", "image_id", "lesion_id", "label"])
    return made.assign(path=made["image_id"] + ".jpg")


TABLE = table(
    ("a", "a0", "L0", "benign"),
    ("a", "a1", "L0", "benign"),
    ("a", "a2", "L2", "benign"),
    ("b", "b0", "", "Malignant"),
    ("b", "b1", "L0", ""),
    ("b", "b2", "", "malignant"),
)


def test_pairs_and_lesion_ids_join_transitively_and_ids_of_two_sets_do_not_meet() -> None:
    groups = group_pictures(TABLE, [Pair(1, 3, "near", 0.9), Pair(2, 5, "sibling", 0.7)])
    assert groups[0] == groups[1] == groups[3]
    assert groups[2] == groups[5]
    assert len(set(groups)) == 3
    assert groups[4] not in groups[:4]


def test_labels_conflict_within_a_group_whatever_their_case_and_unknown_ones_do_not() -> None:
    groups = np.array([0, 0, 1, 0, 1, 2])
    assert list(label_conflicts(TABLE, groups)) == [0]


def test_a_split_leaks_by_twins_and_by_siblings_and_each_picture_counts_once() -> None:
    parts = pd.Series(["train", "test", "test", "test", "val", ""])
    groups = np.array([0, 0, 1, 0, 1, 0])
    pairs = [Pair(0, 1, "near", 0.95), Pair(0, 3, "sibling", 0.75)]
    test, val = leaks(parts, groups, pairs)
    assert test == {"part": "test", "pictures": 3, "twin": 1, "sibling": 1, "leaking": 2, "share": 0.6667}
    assert (val["part"], val["leaking"]) == ("val", 0)


def test_a_split_file_names_pictures_by_id_or_by_path(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("image_id,part\na0,train\nb2.jpg,TEST\nunknown,test\n")
    assert read_split(tmp_path / "s.csv", TABLE).tolist() == ["train", "", "", "", "", "test"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("image_id\na0\n", "missing columns: part"),
        ("image_id,part\na0,train\na0,test\n", "a0 is listed twice"),
        ("image_id,part\nzz,train\n", "none of its 1 image_ids"),
        ("image_id,part\na0,test\n", "called train"),
    ],
)
def test_a_split_file_that_says_nothing_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "s.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_split(path, TABLE)
