"""LABELS.csv and a folder of pictures to one table: strict about labels, forgiving about file names."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from skin_edge.camera.discover import find_images
from skin_edge.errors import UsageError
from skin_edge_training.data.readers import read_sets
from skin_edge_training.evidence.document import LeftOut
from skin_edge_training.run import Run
from skin_edge_training.statistics import Vector

#: Columns that say what a picture is, not what kind of picture it is.
_OWN_COLUMNS = frozenset(
    {"image_id", "malignant", "lesion_id", "group", "path", "part", "own_part", "sha256"}
)

#: Columns that predictions.csv adds.
_TAKEN = frozenset({"logit", "probability", "answer", "refer", "quality_ok", "quality_reasons"})

#: What makes pictures dependent, the widest first: the bootstrap draws these.
_GROUP_COLUMNS = ("group", "lesion_id")


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSet:
    """Pictures with their labels.

    Attributes:
        name: what a person calls the set.
        table: one row a picture: image_id, path, malignant (0 or 1), group (integer), and the columns named
            in `kinds` as text.
        kinds: columns by which figures are broken down.
        grouped_by: the column behind `group`, or `image_id` where each picture stands for itself.
        labels_sha256: SHA-256 (hex) of the file that the labels came from.
        left_out: what had no counterpart.
        split_sha256: SHA-256 (hex) of the split that held these pictures out; None where there is none.
    """

    name: str
    table: pd.DataFrame
    kinds: tuple[str, ...]
    grouped_by: str
    labels_sha256: str
    left_out: LeftOut
    split_sha256: str | None = None


def labelled_folder(labels_path: Path, directory: Path) -> LabelledSet:
    """Return the pictures in and below `directory` that `labels_path` has a label for.

    An image_id is a path below the folder or a file's name, with or without its suffix.

    Raises:
        UsageError: the table is no such table, or what is left has one class only.
        ImageError: the folder holds no pictures.
    """
    data = _read(labels_path)
    labels = read_labels(data, str(labels_path))
    if not directory.is_dir():
        raise UsageError(f"{directory}: no such folder of pictures")
    images = find_images(directory)
    names = _names(images, directory)
    found = [names.get(image_id, []) for image_id in labels["image_id"]]
    matches = np.array([len(paths) for paths in found], np.int64)
    table = labels[matches == 1].assign(path=[str(paths[0]) for paths in found if len(paths) == 1])
    _refuse_twice(table, labels_path)
    labelled = {path for paths in found for path in paths}
    left_out = LeftOut(
        images_without_label=tuple(p.relative_to(directory).as_posix() for p in images if p not in labelled),
        labels_without_image=tuple(labels["image_id"][matches == 0]),
        labels_of_several_images=tuple(labels["image_id"][matches > 1]),
    )
    return _labelled_set(directory.resolve().name, table, hashlib.sha256(data).hexdigest(), left_out)


def labelled_by_layout(directory: Path) -> LabelledSet:
    """Return the pictures of a folder whose layout tells their labels: one folder a class, or HAM10000's.

    Raises:
        UsageError: no such folder, a label is neither benign nor malignant, or there is one class only.
    """
    listing = read_sets([directory])
    table = listing.table
    unknown = table[~table["label"].str.lower().isin(("benign", "malignant"))]
    if len(unknown):
        first = unknown.iloc[0]
        raise UsageError(
            f"{directory}: the folders do not tell whether {first['path']} is benign or malignant "
            f"({first['label'] or 'no label'}); give --labels"
        )
    kinds = [name for name in ("diagnosis", "age", "sex", "site", "source") if (table[name] != "").any()]
    made = table[["image_id", "lesion_id", *kinds]].assign(
        path=table["file"], malignant=(table["label"].str.lower() == "malignant").astype(float)
    )
    if (made["lesion_id"] == "").all():
        made = made.drop(columns="lesion_id")
    lines = "".join(
        f"{i} {label:.0f}\n" for i, label in zip(made["image_id"], made["malignant"], strict=True)
    )
    absent = LeftOut(labels_without_image=tuple(listing.absent["path"]))
    return _labelled_set(directory.resolve().name, made, hashlib.sha256(lines.encode()).hexdigest(), absent)


def held_out_part(run: Run) -> LabelledSet:
    """Return the held-out pictures of a training run.

    Raises:
        UsageError: the run has no table, or its test part has one class only.
    """
    path = run.require("table.csv", "data")
    data = _read(path)
    labels = read_labels(data, str(path))
    if not {"path", "part"} <= set(labels.columns):
        raise UsageError(f"{path}: the columns path and part are missing; run 'skin-edge train data' again")
    table = labels[labels["part"] == "test"]
    if "set" in table.columns and table["set"].nunique() == 1:
        table = table.drop(columns="set")  # not a kind of picture then
    name = f"the test part of {run.directory.resolve().name}"
    held_out = _labelled_set(name, table, hashlib.sha256(data).hexdigest(), LeftOut())
    return replace(held_out, split_sha256=run.split_sha256())


def read_labels(data: bytes, name: str) -> pd.DataFrame:
    """Return a table of labels: all columns as text without blanks around, but malignant as 0.0 or 1.0.

    Raises:
        UsageError: not such a table; names the column, or the line and what it holds.
    """
    try:
        text = data.decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except UnicodeDecodeError:
        raise UsageError(f"{name}: not UTF-8 text; save it as csv in UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{name}: not a csv file: {error}") from None
    if not rows:
        raise UsageError(f"{name}: empty; it needs the columns image_id and malignant")
    header = [column.strip() for column in rows[0]]
    for needed in ("image_id", "malignant"):
        if needed not in header:
            raise UsageError(f"{name}: no column {needed}; it has: {', '.join(header)}")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise UsageError(f"{name}: the column {twice[0]!r} is there twice; remove one")
    taken = sorted(_TAKEN & set(header))
    if taken:
        raise UsageError(f"{name}: the column {taken[0]!r} has a name that predictions.csv needs; rename it")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise UsageError(f"{name}: row {number} has {len(row)} cells, the header has {len(header)}")
    if len(rows) == 1:
        raise UsageError(f"{name}: no rows below the header")
    table = pd.DataFrame([[cell.strip() for cell in row] for row in rows[1:]], columns=header, dtype=object)
    table["malignant"] = [_label(cell, number, name) for number, cell in enumerate(table["malignant"], 2)]
    if (table["image_id"] == "").any():
        raise UsageError(f"{name}: row {int((table['image_id'] == '').argmax()) + 2} has no image_id")
    repeated = table["image_id"][table["image_id"].duplicated()]
    if len(repeated):
        raise UsageError(f"{name}: {repeated.iloc[0]!r} is there twice; keep one row a picture")
    return table


def _label(cell: str, number: int, name: str) -> float:
    if cell in ("0", "1", "0.0", "1.0"):
        return float(cell)
    raise UsageError(f"{name}: row {number}: malignant is {cell!r}; it must be 0 or 1")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _names(images: list[Path], directory: Path) -> dict[str, list[Path]]:
    """Return the images that each name may stand for, more than one where it is ambiguous."""
    by_path: dict[str, list[Path]] = defaultdict(list)
    by_name: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        below = image.relative_to(directory)
        for name in {below.as_posix(), below.with_suffix("").as_posix()}:
            by_path[name].append(image)
        for name in {image.name, image.stem}:
            by_name[name].append(image)
    # In the folder itself a path is a bare name: there, a second file of that name below makes it ambiguous.
    return {**by_name, **{name: paths for name, paths in by_path.items() if "/" in name}}


def _refuse_twice(table: pd.DataFrame, labels_path: Path) -> None:
    repeated = table["path"].duplicated(keep=False)
    if repeated.any():
        first = table[table["path"] == table.loc[repeated, "path"].iloc[0]]
        both = " and ".join(repr(image_id) for image_id in first["image_id"][:2])
        raise UsageError(f"{labels_path}: {both} are the same picture; keep one row a picture")


def _labelled_set(name: str, table: pd.DataFrame, sha256: str, left_out: LeftOut) -> LabelledSet:
    if table.empty:
        raise UsageError(f"{name}: no picture has a label: does image_id name files in the folder?")
    require_both_classes(table["malignant"].to_numpy(np.float64), name)
    grouped_by = next((c for c in _GROUP_COLUMNS if c in table.columns), "image_id")
    # A picture of an unnamed lesion stands for itself.
    keys = table[grouped_by].where(table[grouped_by] != "", "\0" + table["image_id"])
    kinds = tuple(name for name in table.columns if name not in _OWN_COLUMNS and (table[name] != "").any())
    kept = table[["image_id", "path", "malignant", *kinds]].reset_index(drop=True)
    kept.insert(3, "group", pd.factorize(keys)[0])
    return LabelledSet(name, kept, kinds, grouped_by, sha256, left_out)


def require_both_classes(labels: Vector, name: str) -> None:
    """Check that there are malignant and benign pictures.

    Raises:
        UsageError: there are not.
    """
    if len(np.unique(labels)) < 2:
        only = "malignant" if labels[0] else "benign"
        raise UsageError(f"{name}: all {len(labels)} pictures are {only}; figures need both classes")
