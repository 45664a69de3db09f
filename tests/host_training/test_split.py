"""Lesions, not pictures, are split; a split that leaks is known for one."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from skin_edge.errors import UsageError
from skin_edge_training.config import DataConfig, ExperimentConfig, SplitConfig
from skin_edge_training.data.decoded import decode_all, to_context
from skin_edge_training.data.readers import find_set, read_sets
from skin_edge_training.data.split import LEFT_OUT, leaking, split_pictures, write_split
from skin_edge_training.prepare import picture_table, prepare
from skin_edge_training.run import Run


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
    table["part"] = split_pictures(table, SplitConfig(), seed=7)
    assert table.groupby("group")["part"].nunique().max() == 1
    share = table["part"].value_counts(normalize=True)
    assert share["train"] == pytest.approx(0.70, abs=0.02)
    assert share["validation"] == pytest.approx(0.15, abs=0.02)
    prevalence = table.groupby("part")["malignant"].mean()
    assert prevalence.max() - prevalence.min() < 0.03


def test_the_split_follows_the_seed() -> None:
    table = lesions(400)
    first, again, other = (split_pictures(table, SplitConfig(), seed=s) for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_a_part_of_one_class_is_refused() -> None:
    table = lesions(40).assign(malignant=0)
    table.loc[table["group"] == 0, "malignant"] = 1
    with pytest.raises(UsageError, match="one class only"):
        split_pictures(table, SplitConfig(), seed=1)


def test_the_split_file_is_what_its_hash_says(tmp_path: Path) -> None:
    table = lesions(60)
    table["part"] = split_pictures(table, SplitConfig(), seed=3)
    digest = write_split(table, tmp_path / "split.csv")
    assert digest == hashlib.sha256((tmp_path / "split.csv").read_bytes()).hexdigest()
    assert write_split(table, tmp_path / "again.csv") == digest


def own_split_table() -> pd.DataFrame:
    """A set's own train and test folders; of the 40 test pictures 8 show a lesion that is in training too."""
    table = lesions(300, seed=4)
    table["own_part"] = np.where(table["group"] < 240, "Train", "test")
    first = table.index[table["group"] >= 240][:8]
    table.loc[first, "group"] = table.loc[first, "group"] - 240
    return table


def test_a_sets_own_split_keeps_its_test_part_and_is_known_to_leak() -> None:
    table = own_split_table()
    table["part"] = split_pictures(table, SplitConfig(by="own"), seed=1)
    assert ((table["part"] == "test") == (table["own_part"] == "test")).all()
    learnt = table[table["part"].isin(["train", "validation"])]
    assert learnt.groupby("group")["part"].nunique().max() == 1
    assert (table.loc[leaking(table), "group"] < 240).all()
    assert set(table.loc[leaking(table), "part"]) == {"test"}
    assert int(leaking(table).sum()) == 8


def test_pictures_of_test_lesions_can_be_left_out_of_training() -> None:
    table = own_split_table()
    table["part"] = split_pictures(table, SplitConfig(by="own", drop_leaking=True), seed=1)
    assert not leaking(table).any()
    assert 0 < (table["part"] == LEFT_OUT).sum() < 40
    assert (table.loc[table["part"] == LEFT_OUT, "own_part"] == "Train").all()


def test_a_set_without_folders_of_its_own_cannot_be_split_by_them() -> None:
    with pytest.raises(UsageError, match="no folders train and test"):
        split_pictures(lesions(100).assign(own_part=""), SplitConfig(by="own"), seed=1)


def test_a_lesion_in_training_and_validation_leaks_too() -> None:
    table = pd.DataFrame(
        {"group": [0, 0, 1, 1, 2, 2], "part": ["train", "validation", "validation", "test", "train", "train"]}
    )
    assert leaking(table).tolist() == [False, True, False, True, False, False]


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


def test_of_two_who_ask_at_once_one_decodes(tmp_path: Path) -> None:
    path = str(tmp_path / "0.png")
    cv2.imwrite(path, np.full((150, 200, 3), 10, np.uint8))
    decodings: list[range] = []

    def slowly(rows: range) -> range:
        decodings.append(rows)
        time.sleep(0.3)
        return rows

    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: decode_all([path], tmp_path / "cache", slowly), range(2)))
    assert len(decodings) == 1
    assert both[0][0, 0, 0, 0] == both[1][0, 0, 0, 0] == 10


def test_a_missing_set_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIN_EDGE_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=f"nowhere10000.*{tmp_path}"):
        find_set("nowhere10000")


@pytest.mark.data
def test_the_known_twins_of_ham10000_share_a_group(data_dir: Path, tmp_path: Path) -> None:
    table = picture_table(read_sets([data_dir / "ham10000"]), DataConfig())
    assert len(table) == 10015
    assert table["malignant"].sum() == 1954
    known = table["image_id"].isin(["ISIC_0025226", "ISIC_0030074"])
    some = table[known | (table.index % 20 == 0)]
    folder = tmp_path / "ham"
    (folder / "images").mkdir(parents=True)
    for row in some.itertuples():
        (folder / "images" / Path(row.path).name).symlink_to(Path(row.path).resolve())
    metadata = pd.read_csv(data_dir / "ham10000" / "HAM10000_metadata.csv")
    metadata[metadata["image_id"].isin(some["image_id"])].to_csv(
        folder / "HAM10000_metadata.csv", index=False
    )
    run = Run(tmp_path / "run")
    run.directory.mkdir()
    config = ExperimentConfig(data=DataConfig(sets=(str(folder),)))
    made = prepare(config, run, tmp_path / "cache").set_index("image_id")
    assert made["lesion_id"]["ISIC_0025226"] != made["lesion_id"]["ISIC_0030074"]
    assert made["group"]["ISIC_0025226"] == made["group"]["ISIC_0030074"]
