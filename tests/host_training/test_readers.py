"""What a folder holds is read from its layout."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from skin_edge.errors import UsageError
from skin_edge_training.data.readers import COLUMNS, READERS, complete, pictures_below, read_sets


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_ham10000_brings_lesions_labels_and_sources_and_its_pictures_may_lie_anywhere(tmp_path: Path) -> None:
    touch(tmp_path / "h/part_1/A.jpg", tmp_path / "h/part_2/B.jpg")
    (tmp_path / "h/HAM10000_metadata.csv").write_text(
        "lesion_id,image_id,dx,dataset\nL1,A,akiec,rosendahl\nL2,B,nv,vidir\nL2,GONE,nv,vidir\n"
    )
    listing = read_sets([tmp_path / "h"])
    first, second = listing.table.to_dict("records")
    assert (first["path"], first["label"], first["source"]) == ("part_1/A.jpg", "malignant", "rosendahl")
    assert (second["lesion_id"], second["label"], second["set"]) == ("L2", "benign", "h")
    assert list(listing.absent["path"]) == ["images/GONE.jpg"]


def test_folders_name_classes_and_parts_in_either_order(tmp_path: Path) -> None:
    touch(tmp_path / "k/train/benign/1.jpg", tmp_path / "k/malignant/test/1.JPG", tmp_path / "k/benign/2.png")
    table = read_sets([tmp_path / "k"]).table.set_index("path")
    assert table.loc["train/benign/1.jpg", ["label", "part", "image_id"]].tolist() == [
        "benign",
        "train",
        "train/benign/1",
    ]
    assert table.loc["malignant/test/1.JPG", ["label", "part"]].tolist() == ["malignant", "test"]
    assert table.loc["benign/2.png", "part"] == ""


def test_plain_folders_are_read_and_sets_of_one_name_told_apart(tmp_path: Path) -> None:
    touch(tmp_path / "a/set/1.jpg", tmp_path / "b/set/1.jpg", tmp_path / "b/set/notes.txt")
    table = read_sets([tmp_path / "a/set", tmp_path / "b/set"]).table
    assert list(table["set"]) == ["set", "set-2"]
    assert set(table["label"]) == {""}


def test_another_layout_joins_by_a_reader(tmp_path: Path) -> None:
    class Named:
        name = "named"
        licence = "CC0"

        def recognises(self, folder: Path) -> bool:
            return (folder / "NAMED").exists()

        def read(self, folder: Path) -> pd.DataFrame:
            paths = pictures_below(folder)
            return complete(pd.DataFrame({"path": paths, "label": [p[0] for p in paths]}))

    touch(tmp_path / "n/NAMED", tmp_path / "n/m1.jpg")
    table = read_sets([tmp_path / "n"], (Named(), *READERS)).table
    assert table.loc[0, "label"] == "m"
    assert set(COLUMNS) < set(table.columns)


@pytest.mark.parametrize(
    ("make", "names", "said"),
    [
        ([], ["none"], "no such folder"),
        (["empty/readme.txt"], ["empty"], "no pictures"),
        (["one/1.jpg"], ["one", "one"], "name each set once"),
    ],
)
def test_folders_that_cannot_be_used_are_refused(
    tmp_path: Path, make: list[str], names: list[str], said: str
) -> None:
    touch(*(tmp_path / name for name in make))
    with pytest.raises(UsageError, match=said):
        read_sets([tmp_path / name for name in names])


def test_metadata_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "HAM10000_metadata.csv").write_text("image_id,dx\nA,nv\n")
    with pytest.raises(UsageError, match="lesion_id"):
        read_sets([tmp_path])
