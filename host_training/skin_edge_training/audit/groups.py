"""Pictures that must stay on one side of a split, and what a given split does to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from skin_edge.errors import UsageError
from skin_edge_training.audit.twins import Pair
from skin_edge_training.data.readers import TRAINING_PARTS


def group_pictures(table: pd.DataFrame, pairs: Sequence[Pair]) -> npt.NDArray[np.int64]:
    """Return (N,) group numbers: shared by pairs of any kind and by lesion ids of one set, transitively."""
    known = table.loc[table["lesion_id"] != ""]
    first = known.groupby(["set", "lesion_id"])["path"].transform(lambda rows: rows.index[0])
    rows = np.concatenate([known.index.to_numpy(np.int64), np.array([p.a for p in pairs], np.int64)])
    columns = np.concatenate([first.to_numpy(np.int64), np.array([p.b for p in pairs], np.int64)])
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(table), len(table)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def read_split(path: Path, table: pd.DataFrame) -> pd.Series:
    """Return the part of each picture of `table` by a csv of image_id and part; "" where it names none.

    An image_id is what the set calls a picture, or its path below the set's folder.

    Raises:
        UsageError: the file cannot be read, lacks a column, names a picture twice, or names none of these.
    """
    try:
        split = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as csv: {error}") from None
    if missing := {"image_id", "part"} - set(split.columns):
        raise UsageError(
            f"{path}: missing columns: {', '.join(sorted(missing))}; a split has image_id and part"
        )
    if (twice := split["image_id"].duplicated()).any():
        raise UsageError(f"{path}: {split.loc[twice, 'image_id'].iloc[0]} is listed twice")
    parts = dict(zip(split["image_id"], split["part"].str.lower(), strict=True))
    found = table["image_id"].map(parts).fillna(table["path"].map(parts)).fillna("").astype(str)
    if (found == "").all():
        raise UsageError(f"{path}: none of its {len(split)} image_ids is in the given sets")
    if not found.isin(TRAINING_PARTS).any():
        raise UsageError(f"{path}: no picture of these sets is in a part called train")
    return found


def leaks(parts: pd.Series, groups: npt.NDArray[np.int64], pairs: Sequence[Pair]) -> list[dict[str, object]]:
    """Return, for each part but the training one, how many of its pictures training has seen.

    `twin`: an exact copy, near duplicate or crop is in training. `sibling`: no twin, but a picture of the
    same group is. `leaking`: either.
    """
    part = parts.to_numpy(object)
    training = np.isin(part, list(TRAINING_PARTS))
    twin = np.zeros(len(part), bool)
    for pair in pairs:
        if pair.kind != "sibling":
            twin[pair.a] |= training[pair.b]
            twin[pair.b] |= training[pair.a]
    related = np.isin(groups, groups[training])
    rows: list[dict[str, object]] = []
    for name in sorted(set(part) - TRAINING_PARTS - {""}):
        chosen = part == name
        count = int(chosen.sum())
        twins, both = int((chosen & twin).sum()), int((chosen & (twin | related)).sum())
        rows.append(
            {
                "part": name,
                "pictures": count,
                "twin": twins,
                "sibling": both - twins,
                "leaking": both,
                "share": round(both / count, 4),
            }
        )
    return rows


def label_conflicts(table: pd.DataFrame, groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the numbers of the groups whose pictures carry more than one label."""
    labelled = table["label"] != ""
    kinds = table.loc[labelled, "label"].str.lower().groupby(groups[labelled.to_numpy()]).nunique()
    return np.asarray(kinds.index[kinds > 1], np.int64)
