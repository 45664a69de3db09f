"""Lesions, not pictures, are split; twins are found in any orientation and kept on one side."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from skin_edge.errors import UsageError
from skin_edge_training.config import SplitConfig
from skin_edge_training.data import ham10000
from skin_edge_training.data.decoded import decode_all, to_context
from skin_edge_training.data.split import split_by_group, write_split
from skin_edge_training.data.twins import find_twins, group_lesions


def lesions(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for lesion in range(count):
        malignant = int(rng.random() < 0.2)
        rows += [
            {"image_id": f"i{lesion}_{n}", "lesion_id": f"L{lesion}", "group": lesion, "malignant": malignant}
            for n in range(rng.integers(1, 4))
        ]
    return pd.DataFrame(rows)


def test_no_group_is_on_two_sides_and_parts_have_their_size_and_prevalence() -> None:
    table = lesions(1500)
    table["part"] = split_by_group(table, SplitConfig(), seed=7)
    assert table.groupby("group")["part"].nunique().max() == 1
    share = table["part"].value_counts(normalize=True)
    assert share["train"] == pytest.approx(0.70, abs=0.02)
    assert share["validation"] == pytest.approx(0.15, abs=0.02)
    prevalence = table.groupby("part")["malignant"].mean()
    assert prevalence.max() - prevalence.min() < 0.03


def test_the_split_follows_the_seed() -> None:
    table = lesions(400)
    first, again, other = (split_by_group(table, SplitConfig(), seed=s) for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_a_part_of_one_class_is_refused() -> None:
    table = lesions(40).assign(malignant=0)
    table.loc[table["group"] == 0, "malignant"] = 1
    with pytest.raises(UsageError, match="one class only"):
        split_by_group(table, SplitConfig(), seed=1)


def test_the_split_file_is_what_its_hash_says(tmp_path: Path) -> None:
    table = lesions(60)
    table["part"] = split_by_group(table, SplitConfig(), seed=3)
    digest = write_split(table, tmp_path / "split.csv")
    assert digest == hashlib.sha256((tmp_path / "split.csv").read_bytes()).hexdigest()
    assert write_split(table, tmp_path / "again.csv") == digest


def textured(count: int) -> np.ndarray:
    """Pictures with structure of their own at several scales."""
    rng = np.random.default_rng(5)
    pictures = np.empty((count, 150, 200, 3), np.uint8)
    for index in range(count):
        coarse = rng.normal(0, 1, (8, 10, 3)).astype(np.float32)
        fine = rng.normal(0, 0.4, (40, 50, 3)).astype(np.float32)
        picture = cv2.resize(coarse, (200, 150)) + cv2.resize(fine, (200, 150))
        pictures[index] = np.clip(128 + 40 * picture, 0, 255)
    return pictures


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_copy_is_a_twin(turn: int) -> None:
    pictures = textured(20)
    square = np.rot90(pictures[3][:, 25:175], turn % 4)
    if turn >= 4:
        square = square[:, ::-1]
    pictures[11][:, 25:175] = np.clip(square.astype(np.int16) + 6, 0, 255)
    twins = find_twins(pictures, similarity=0.97)
    assert [(a, b) for a, b in zip(twins["a"], twins["b"], strict=True)] == [(3, 11)]


def test_pictures_without_structure_do_not_break_the_search() -> None:
    pictures = np.full((5, 150, 200, 3), 128, np.uint8)
    assert len(find_twins(pictures, similarity=0.97)) == 0


def test_groups_are_transitive_over_lesions_and_twins() -> None:
    ids = pd.Series(["A", "A", "B", "C", "C", "D"])
    groups = group_lesions(ids, pd.DataFrame({"a": [1, 2], "b": [2, 3], "similarity": [1.0, 1.0]}))
    assert len(set(groups[:5])) == 1
    assert groups[5] != groups[0]


@pytest.mark.parametrize("shape", [(150, 200), (450, 600), (224, 224), (600, 450), (90, 500)])
def test_context_has_one_size_and_keeps_the_centre(shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    picture[shape[0] // 2 - 5 : shape[0] // 2 + 5, shape[1] // 2 - 5 : shape[1] // 2 + 5] = 255
    context = to_context(picture)
    assert context.shape == (150, 200, 3)
    assert context[75, 100].min() > 128


def test_the_cache_follows_the_files(tmp_path: Path) -> None:
    paths = []
    for number, grey in enumerate((10, 200)):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((150, 200, 3), grey, np.uint8))
        paths.append(str(path))
    first = decode_all(paths, tmp_path / "cache")
    assert first[:, 0, 0, 0].tolist() == [10, 200]
    cv2.imwrite(paths[0], np.full((150, 200, 3), 90, np.uint8))
    assert decode_all(paths, tmp_path / "cache")[0, 0, 0, 0] == 90


def test_missing_metadata_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIN_EDGE_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=str(tmp_path / "ham10000")):
        ham10000.find_directory(None)


@pytest.mark.data
def test_the_known_twins_of_ham10000_share_a_group(data_dir: Path, tmp_path: Path) -> None:
    table = ham10000.read(data_dir / "ham10000")
    assert len(table) == 10015
    assert table["malignant"].sum() == 1954
    known = table["image_id"].isin(["ISIC_0025226", "ISIC_0030074"])
    some = table[known | (table.index % 20 == 0)].reset_index(drop=True)
    twins = find_twins(decode_all(list(some["path"]), tmp_path), SplitConfig().twin_similarity)
    groups = group_lesions(some["lesion_id"], twins)
    pair = groups[some["image_id"].isin(["ISIC_0025226", "ISIC_0030074"])]
    assert some.loc[some["image_id"].isin(["ISIC_0025226", "ISIC_0030074"]), "lesion_id"].nunique() == 2
    assert pair[0] == pair[1]
