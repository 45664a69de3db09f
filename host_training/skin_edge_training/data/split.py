"""A seeded split by lesion group, stratified by label, written as a file whose hash travels in the bundle."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from skin_edge.errors import UsageError
from skin_edge_training.config import SplitConfig
from skin_edge_training.data.readers import TRAINING_PARTS

PARTS = ("train", "validation", "test")
#: What the networks learn from or are chosen by.
LEARNT_FROM = PARTS[:2]
#: The part of pictures that no step uses.
LEFT_OUT = "left-out"
#: Folds are dealt out to the parts; twenty of them give parts in steps of five per cent.
FOLDS = 20


def split_pictures(table: pd.DataFrame, config: SplitConfig, seed: int) -> pd.Series:
    """Return the part of each row of `table` (columns `group`, `malignant`, and `own_part` for an own split).

    Raises:
        UsageError: a part would be empty or hold one class only, or the sets bring no split of their own.
    """
    part = split_by_group(table, config, seed) if config.by == "lesions" else own_split(table, config, seed)
    for name in PARTS:
        labels = table.loc[part == name, "malignant"]
        if labels.nunique() < 2:
            raise UsageError(f"the {name} part of the split holds {len(labels)} pictures of one class only")
    return part


def split_by_group(table: pd.DataFrame, config: SplitConfig, seed: int) -> pd.Series:
    """Return parts of whole groups, with about the same share of malignant pictures each."""
    folds = deal(table, seed)
    train_end = round(config.train * FOLDS)
    validation_end = train_end + round(config.validation * FOLDS)
    return pd.Series(
        np.select([folds < train_end, folds < validation_end], LEARNT_FROM, PARTS[2]), table.index
    )


def own_split(table: pd.DataFrame, config: SplitConfig, seed: int) -> pd.Series:
    """Return the sets' own test part, their training part dealt out to training and validation by group.

    Raises:
        UsageError: a set has no folders of its own for training and test.
    """
    own = table["own_part"].str.lower()
    if not {"test", *TRAINING_PARTS} & set(own) or not (own == "test").any():
        raise UsageError("data.split.by: own: these sets have no folders train and test; use 'by: lesions'")
    part = own.where(own == "test", LEFT_OUT)
    learnt = own.isin(TRAINING_PARTS)
    if config.drop_leaking:
        learnt &= ~table["group"].isin(table.loc[part == "test", "group"])
    folds = deal(table[learnt], seed)
    validation = round(config.validation / (config.train + config.validation) * FOLDS)
    part[learnt] = np.where(folds < validation, *reversed(LEARNT_FROM))
    return part


def deal(table: pd.DataFrame, seed: int) -> npt.NDArray[np.int64]:
    """Return (N,) numbers of `FOLDS` stratified folds that tear no group apart."""
    folds = np.empty(len(table), np.int64)
    dealer = StratifiedGroupKFold(n_splits=FOLDS, shuffle=True, random_state=seed)
    try:
        for number, (_, members) in enumerate(dealer.split(table, table["malignant"], table["group"])):
            folds[members] = number
    except ValueError as error:
        raise UsageError(f"{len(table)} pictures cannot be dealt out by lesion: {error}") from None
    return folds


def leaking(table: pd.DataFrame) -> pd.Series:
    """Return which rows of test and validation show a lesion (`group`) that was learnt from."""
    part, group = table["part"], table["group"]
    in_test = (part == "test") & group.isin(group[part.isin(LEARNT_FROM)])
    return in_test | ((part == "validation") & group.isin(group[part == "train"]))


def write_split(table: pd.DataFrame, path: Path) -> str:
    """Write image_id, lesion_id, group, malignant and part to a csv; return its SHA-256 (hex)."""
    columns = ["image_id", "lesion_id", "group", "malignant", "part"]
    text = table.loc[:, columns].to_csv(index=False, lineterminator="\n")
    path.write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()
