"""Labels and pictures find each other, and a wrong table is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from skin_edge.errors import ImageError, UsageError
from skin_edge_training.evidence.labels import held_out_part, labelled_folder, read_labels
from skin_edge_training.run import Run


def _folder(root: Path, *names: str) -> Path:
    for name in names:
        path = root / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root / "set"


def _labels(root: Path, text: str) -> Path:
    path = root / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_image_is_named_by_stem_name_or_path(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "a.jpg", "deep/down/b.png", "deep/c.jpg", "other/c.jpg", "notes.txt")
    found = labelled_folder(
        _labels(tmp_path, "image_id,malignant\na,0\nb.png,1\ndeep/c,1\nother/c.jpg,0\n"), folder
    )
    paths = [Path(path).relative_to(folder).as_posix() for path in found.table["path"]]
    assert paths == ["a.jpg", "deep/down/b.png", "deep/c.jpg", "other/c.jpg"]
    assert list(found.table["malignant"]) == [0.0, 1.0, 1.0, 0.0]
    assert found.left_out.count() == 0
    assert found.grouped_by == "image_id"
    assert found.table["group"].nunique() == 4


def test_what_has_no_counterpart_is_named(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path, "a.jpg", "b.jpg", "spare.jpg", "x/twice.jpg", "y/twice.jpg", "up.jpg", "x/up.jpg"
    )
    rows = "a,0\nb,1\ngone,1\ntwice,0\nup.jpg,0\n"
    found = labelled_folder(_labels(tmp_path, f"image_id,malignant\n{rows}"), folder)
    assert list(found.table["image_id"]) == ["a", "b"]
    assert found.left_out.images_without_label == ("spare.jpg",)
    assert found.left_out.labels_without_image == ("gone",)
    assert found.left_out.labels_of_several_images == ("twice", "up.jpg")


def test_the_widest_group_is_drawn_and_unnamed_lesions_stand_alone(tmp_path: Path) -> None:
    folder = _folder(tmp_path, *(f"{name}.jpg" for name in "abcd"))
    text = "image_id,malignant,lesion_id,sex\na,0,L1,f\nb,1,L1,f\nc,1,,m\nd,0,,m\n"
    by_lesion = labelled_folder(_labels(tmp_path, text), folder)
    assert by_lesion.grouped_by == "lesion_id"
    assert list(by_lesion.table["group"]) == [0, 0, 1, 2]
    assert by_lesion.kinds == ("sex",)
    text = "image_id,malignant,lesion_id,group\na,0,L1,7\nb,1,L1,7\nc,1,L2,7\nd,0,L3,9\n"
    assert list(labelled_folder(_labels(tmp_path, text), folder).table["group"]) == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("image_id,malignant\n", "no rows"),
        ("image,malignant\na,0\n", "no column image_id; it has: image, malignant"),
        ("image_id,label\na,0\n", "no column malignant"),
        ("image_id,malignant,malignant\na,0,1\n", "'malignant' is there twice"),
        ("image_id,malignant\na,0\nb,yes\n", "row 3: malignant is 'yes'"),
        ("image_id,malignant\na,0\nb,\n", "row 3: malignant is ''"),
        ("image_id,malignant\na,0\nb,2\n", "row 3: malignant is '2'"),
        ("image_id,malignant\na,0\n,1\n", "row 3 has no image_id"),
        ("image_id,malignant\na,0\na,1\n", "'a' is there twice"),
        ("image_id,malignant\na,0,5\n", "row 2 has 3 cells"),
        ("image_id,malignant,logit\na,0,5\n", "'logit' has a name that predictions.csv needs"),
        ('image_id,malignant\n"a,0\n', "not a csv file"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_labels(text.encode(), "labels.csv")
    assert message in str(caught.value)
    assert str(caught.value).startswith("labels.csv: ")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_spreadsheets_habits_are_taken() -> None:
    table = read_labels("\ufeffimage_id, malignant ,age\r\n 007 ,1.0,50\r\nb,0,\r\n\r\n".encode(), "t")
    assert list(table["image_id"]) == ["007", "b"]
    assert list(table["malignant"]) == [1.0, 0.0]
    assert list(table["age"]) == ["50", ""]
    with pytest.raises(UsageError, match="UTF-8"):
        read_labels("image_id,malignant\né,1\n".encode("utf-16"), "t")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,1\nb,1\n", "all 2 pictures are malignant"),
        ("x,1\ny,0\n", "no picture has a label"),
        ("a,1\na.jpg,0\n", "'a' and 'a.jpg' are the same picture"),
    ],
)
def test_a_set_without_figures_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    folder = _folder(tmp_path, "a.jpg", "b.jpg")
    with pytest.raises(UsageError, match=message):
        labelled_folder(_labels(tmp_path, f"image_id,malignant\n{rows}"), folder)


def test_a_folder_that_is_missing_or_without_pictures_is_refused(tmp_path: Path) -> None:
    labels = _labels(tmp_path, "image_id,malignant\na,1\nb,0\n")
    with pytest.raises(UsageError, match="no such folder"):
        labelled_folder(labels, tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ImageError, match="no images"):
        labelled_folder(labels, tmp_path / "bare")
    with pytest.raises(UsageError, match="cannot be read"):
        labelled_folder(tmp_path / "no.csv", tmp_path / "bare")


def test_of_a_run_only_the_held_out_pictures_count(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(
        "image_id,path,lesion_id,malignant,diagnosis,age,group,part\n"
        "a,/p/a.jpg,L1,0,nv,50.0,4,test\nb,/p/b.jpg,L2,1,mel,,5,test\nc,/p/c.jpg,L3,1,mel,40.0,6,train\n",
        encoding="utf-8",
    )
    (tmp_path / "split.csv").write_text("image_id,part\n", encoding="utf-8")
    found = held_out_part(Run(tmp_path))
    assert list(found.table["image_id"]) == ["a", "b"]
    assert found.kinds == ("diagnosis", "age")
    assert found.grouped_by == "group"
    assert found.split_sha256 == Run(tmp_path).split_sha256()
