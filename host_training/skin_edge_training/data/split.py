"""A seeded split by lesion group, stratified by label, written as a file whose hash travels in the bundle."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from skin_edge.errors import UsageError
from skin_edge_training.config import SplitConfig

PARTS = ("train", "validation", "test")
#: Folds are dealt out to the parts; twenty of them give parts in steps of five per cent.
FOLDS = 20


def split_by_group(table: pd.DataFrame, config: SplitConfig, seed: int) -> pd.Series:
    """Return the part of each row of `table` (columns `group` and `malignant`).

    Raises:
        UsageError: a part would be empty or hold one class only.
    """
    folds = np.empty(len(table), np.int64)
    dealer = StratifiedGroupKFold(n_splits=FOLDS, shuffle=True, random_state=seed)
    for number, (_, members) in enumerate(dealer.split(table, table["malignant"], table["group"])):
        folds[members] = number
    train_end = round(config.train * FOLDS)
    validation_end = train_end + round(config.validation * FOLDS)
    part = pd.Series(np.select([folds < train_end, folds < validation_end], PARTS[:2], PARTS[2]), table.index)
    for name in PARTS:
        labels = table.loc[part == name, "malignant"]
        if labels.nunique() < 2:
            raise UsageError(f"the {name} part of the split holds {len(labels)} pictures of one class only")
    torn = table.groupby("group").apply(lambda rows: part[rows.index].nunique(), include_groups=False)
    if (torn > 1).any():
        raise UsageError(f"{int((torn > 1).sum())} lesion groups are torn by the split")
    return part


def write_split(table: pd.DataFrame, path: Path) -> str:
    """Write image_id, lesion_id, group, malignant and part to a csv; return its SHA-256 (hex)."""
    columns = ["image_id", "lesion_id", "group", "malignant", "part"]
    text = table.loc[:, columns].to_csv(index=False, lineterminator="\n")
    path.write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()
