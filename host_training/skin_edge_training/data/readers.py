"""Which pictures a folder holds, and what it says about them; the audit and training read it alike.

A reader is an object with a `name`, a `licence`, a `recognises(folder)` and a `read(folder)` that returns one
row a picture with the columns `COLUMNS`. To add one, write it and put it into `READERS` before the more
general ones.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from skin_edge.errors import UsageError

#: path: below the set's folder, with forward slashes. image_id: what a split file calls it. The others are
#: text, empty where the set does not say. part: of the set's own split.
COLUMNS = (
    *("path", "image_id", "lesion_id", "label", "diagnosis"),
    *("age", "sex", "site", "source", "part"),
)

METADATA = "HAM10000_metadata.csv"
#: Melanoma, basal cell carcinoma, actinic keratosis / intraepithelial carcinoma.
MALIGNANT = frozenset({"mel", "bcc", "akiec"})

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
TRAINING_PARTS = frozenset({"train", "training"})
PARTS = TRAINING_PARTS | {"validation", "valid", "val", "test", "testing"}


class SetReader(Protocol):
    """How one layout of folders is read."""

    name: str
    #: What a bundle's manifest says of the pictures' licence; empty where the layout does not tell.
    licence: str

    def recognises(self, folder: Path) -> bool:
        """Whether `folder` has this layout."""

    def read(self, folder: Path) -> pd.DataFrame:
        """One row a picture, columns `COLUMNS`, all text.

        Raises:
            UsageError: the folder is not what its layout promises.
        """


class Ham10000Reader:
    """HAM10000 (Tschandl, Rosendahl & Kittler 2018): metadata csv, pictures in any folders below it."""

    name = "ham10000"
    licence = "CC BY-NC 4.0 (Tschandl et al. 2018, doi:10.1038/sdata.2018.161)"

    def recognises(self, folder: Path) -> bool:
        return (folder / METADATA).is_file()

    def read(self, folder: Path) -> pd.DataFrame:
        try:
            table = pd.read_csv(folder / METADATA, dtype=str, keep_default_na=False)
        except (OSError, ValueError) as error:
            raise UsageError(f"{folder / METADATA}: cannot be read as csv: {error}") from None
        needed = {"lesion_id", "image_id", "dx"}
        if missing := needed - set(table.columns):
            raise UsageError(f"{folder / METADATA}: missing columns: {', '.join(sorted(missing))}")
        table = table.rename(columns={"dx": "diagnosis", "dataset": "source", "localization": "site"})
        table["label"] = ["malignant" if d in MALIGNANT else "benign" for d in table["diagnosis"]]
        present = {Path(path).stem: path for path in pictures_below(folder)}
        # One that the metadata names and nobody has keeps its usual name; `read_sets` counts it as absent.
        table["path"] = [present.get(i, f"images/{i}.jpg") for i in table["image_id"]]
        return complete(table)


class ClassFolderReader:
    """One folder a class, at any depth: `malignant/N.jpg`, `train/benign/N.jpg`."""

    name = "class-folders"
    licence = ""

    def recognises(self, folder: Path) -> bool:
        return any("/" in path for path in pictures_below(folder))

    def read(self, folder: Path) -> pd.DataFrame:
        rows = []
        for path in pictures_below(folder):
            *folders, _ = path.split("/")
            parts = [name for name in folders if name.lower() in PARTS]
            classes = [name for name in folders if name.lower() not in PARTS]
            rows.append(
                {
                    "path": path,
                    "image_id": path.rsplit(".", 1)[0],
                    "label": classes[-1] if classes else "",
                    "part": parts[0].lower() if parts else "",
                }
            )
        return complete(pd.DataFrame(rows))


class FlatFolderReader:
    """Pictures in one folder, nothing known about them."""

    name = "flat-folder"
    licence = ""

    def recognises(self, folder: Path) -> bool:
        return bool(pictures_below(folder))

    def read(self, folder: Path) -> pd.DataFrame:
        paths = pictures_below(folder)
        return complete(pd.DataFrame({"path": paths, "image_id": [p.rsplit(".", 1)[0] for p in paths]}))


#: The first that recognises a folder reads it.
READERS: tuple[SetReader, ...] = (Ham10000Reader(), ClassFolderReader(), FlatFolderReader())


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with exactly `COLUMNS`, what is not known empty, in the order of the paths."""
    for column in COLUMNS:
        if column not in table.columns:
            table[column] = ""
    return table.loc[:, list(COLUMNS)].astype(str).sort_values("path", ignore_index=True)


def pictures_below(folder: Path) -> list[str]:
    """Paths of the picture files below a folder, relative to it, with forward slashes, sorted."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """The pictures of some folders.

    Attributes:
        table: one row a picture: `COLUMNS`, and `set` and `file`.
        absent: set and path of pictures that a set's own table names but that are not there.
        licences: set to its pictures' licence, empty where that is not known.
    """

    table: pd.DataFrame
    absent: pd.DataFrame
    licences: dict[str, str]


def find_set(name: str) -> Path:
    """Return the folder of a set: a path, else NAME in $SKIN_EDGE_DATA, else in ../shared/data.

    Raises:
        UsageError: there is no such folder.
    """
    root = os.environ.get("SKIN_EDGE_DATA") or "../shared/data"
    for candidate in (Path(name), Path(root) / name):
        if candidate.is_dir():
            return candidate
    raise UsageError(
        f"{name}: no such set: neither a folder nor in {root}; set SKIN_EDGE_DATA to the folder that holds "
        "it, or name its path under data.sets"
    )


def read_sets(folders: Sequence[Path], readers: Sequence[SetReader] = READERS) -> Listing:
    """Return the pictures of all folders.

    A set is called after its folder; of two folders of one name the second is NAME-2.

    Raises:
        UsageError: a folder is missing, given twice, or holds no pictures.
    """
    tables: list[pd.DataFrame] = []
    names: list[str] = []
    licences: dict[str, str] = {}
    seen: dict[Path, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; name the folders that hold the sets")
        if (resolved := folder.resolve()) in seen:
            raise UsageError(f"{folder}: the same folder as {seen[resolved]}; name each set once")
        seen[resolved] = folder
        reader = next((r for r in readers if r.recognises(folder)), None)
        if reader is None:
            kinds = ", ".join(sorted(SUFFIXES))
            raise UsageError(f"{folder}: no pictures in or below this folder ({kinds})")
        names.append(free_name(resolved.name, names))
        licences[names[-1]] = reader.licence
        table = reader.read(folder)
        table["set"], table["file"] = names[-1], [str(folder / path) for path in table["path"]]
        tables.append(table)
    everything = pd.concat(tables, ignore_index=True)
    there = np.array([Path(file).exists() for file in everything["file"]], bool)
    if not there.any():
        raise UsageError(f"{folders[0]}: none of the {len(there)} pictures that its table names is there")
    absent = everything.loc[~there, ["set", "path"]].reset_index(drop=True)
    return Listing(everything.loc[there].reset_index(drop=True), absent, licences)


def free_name(name: str, taken: Sequence[str]) -> str:
    """Return `name`, or the first of NAME-2, NAME-3 ... that is not taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
