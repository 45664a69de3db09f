"""The whole audit: sets in; pairs, groups, leaks, conflicts and shortcuts out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skin_edge.errors import UsageError
from skin_edge_training.audit.groups import group_pictures, label_conflicts, leaks, read_split
from skin_edge_training.audit.pictures import read_pictures
from skin_edge_training.audit.search import Progress
from skin_edge_training.audit.shortcuts import measure_shortcuts
from skin_edge_training.audit.twins import Pair, find_pairs
from skin_edge_training.data.readers import read_sets


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """One split of the sets: what it is called, and what `groups.leaks` says of each of its parts."""

    name: str
    parts: pd.Series
    rows: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found.

    Attributes:
        table: one row a readable picture, with its `group`.
        pairs: of the numbers of its rows.
        splits: the sets' own splits, then the given ones.
        conflicts: groups with more than one label.
        shortcuts: see `shortcuts.measure_shortcuts`.
        unreadable: set, path and error.
        absent: set and path of pictures that a set names but that are not there.
    """

    table: pd.DataFrame
    pairs: list[Pair]
    splits: list[SplitCheck]
    conflicts: npt.NDArray[np.int64]
    shortcuts: pd.DataFrame
    unreadable: pd.DataFrame
    absent: pd.DataFrame

    def pair_table(self, kinds: Sequence[str]) -> pd.DataFrame:
        """Return set_a, path_a, set_b, path_b, kind and similarity of the pairs of some kinds."""
        sets, paths = self.table["set"].to_numpy(object), self.table["path"].to_numpy(object)
        chosen = [p for p in self.pairs if p.kind in kinds]
        rows = [
            (sets[p.a], paths[p.a], sets[p.b], paths[p.b], p.kind, round(p.similarity, 4)) for p in chosen
        ]
        return pd.DataFrame(rows, columns=["set_a", "path_a", "set_b", "path_b", "kind", "similarity"])

    def pair_counts(self) -> list[dict[str, Any]]:
        """Return how many pairs of each kind lie between which sets."""
        sets = self.table["set"].to_numpy(object)
        keys = [(*sorted((sets[p.a], sets[p.b])), p.kind) for p in self.pairs]
        counts = pd.Series(keys, dtype=object).value_counts().sort_index()
        return [{"set_a": a, "set_b": b, "kind": k, "pairs": int(n)} for (a, b, k), n in counts.items()]

    def overlaps(self) -> list[dict[str, Any]]:
        """Return how many pictures of each set, and of each label in it, are also in another set."""
        sets = self.table["set"].to_numpy(object)
        also: dict[tuple[str, str], set[int]] = {}
        for p in self.pairs:
            if p.kind != "sibling" and sets[p.a] != sets[p.b]:
                also.setdefault((sets[p.a], sets[p.b]), set()).add(p.a)
                also.setdefault((sets[p.b], sets[p.a]), set()).add(p.b)
        rows = []
        for (name, other), members in sorted(also.items()):
            own = self.table.loc[self.table["set"] == name, "label"]
            shared = own.loc[own.index.isin(members)].value_counts()
            for label, count in [("", len(own)), *own[own != ""].value_counts().sort_index().items()]:
                found = len(members) if label == "" else int(shared.get(label, 0))
                row = {"set": name, "also_in": other, "label": label or "all"}
                rows.append(row | {"pictures": int(count), "shared": found, "share": round(found / count, 4)})
        return rows

    def summary(self) -> dict[str, Any]:
        """Return the figures of the audit as plain data."""
        groups = self.table["group"]
        return {
            "pictures": len(self.table),
            "unreadable": len(self.unreadable),
            "absent": len(self.absent),
            "sets": {str(k): int(v) for k, v in self.table["set"].value_counts(sort=False).items()},
            "pairs": self.pair_counts(),
            "overlaps": self.overlaps(),
            "groups": int(groups.nunique()),
            "groups_of_several": int((groups.value_counts() > 1).sum()),
            "label_conflicts": len(self.conflicts),
            "splits": [{"split": s.name, **row} for s in self.splits for row in s.rows],
            "shortcuts": self.shortcuts.to_dict("records"),
        }


def audit(folders: Sequence[Path], splits: Sequence[Path], progress: Progress) -> Audit:
    """Audit some folders of pictures.

    Args:
        folders: one set each, see `readers.READERS`.
        splits: csv files of image_id and part, see `groups.read_split`.
        progress: shows how far it has come.

    Raises:
        UsageError: a folder or a split cannot be used, or no picture can be read.
    """
    listing = read_sets(folders)
    listed = listing.table
    given = [(path.name, read_split(path, listed)) for path in splits]
    workers = os.cpu_count() or 1
    pictures = read_pictures(listed, progress, workers)
    table = pictures.table
    if table.empty:
        raise UsageError(
            f"none of {len(listed)} pictures can be read; the first: {pictures.unreadable['error'][0]}"
        )
    pairs = find_pairs(pictures.greys, pictures.digests, progress, workers)
    table["group"] = groups = group_pictures(table, pairs)
    checks = []
    for name, part in [*own_splits(table), *((n, s[listed_rows(listed, table)]) for n, s in given)]:
        checks.append(SplitCheck(name, part, leaks(part, groups, pairs)))
    shortcuts = measure_shortcuts(table, pictures.statistics, groups, progress, workers)
    conflicts = label_conflicts(table, groups)
    return Audit(table, pairs, checks, conflicts, shortcuts, pictures.unreadable, listing.absent)


def own_splits(table: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """Return the splits that sets bring themselves: a name, and the part of each picture."""
    found = []
    for name in table.loc[table["part"] != "", "set"].unique():
        found.append((f"folders of {name}", table["part"].where(table["set"] == name, "")))
    return found


def listed_rows(listed: pd.DataFrame, table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the rows of the full list that the readable pictures came from."""
    place = {file: row for row, file in enumerate(listed["file"])}
    return np.array([place[file] for file in table["file"]], np.int64)
