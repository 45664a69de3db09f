"""From a folder of downloads to a run's table: read, decode, find twins, group, split."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from skin_edge_training.config import ExperimentConfig
from skin_edge_training.data import ham10000
from skin_edge_training.data.decoded import Uint8Array, decode_all
from skin_edge_training.data.split import split_by_group, write_split
from skin_edge_training.data.twins import find_twins, group_lesions
from skin_edge_training.run import Run

logger = logging.getLogger(__name__)


def prepare(
    config: ExperimentConfig,
    run: Run,
    cache: Path,
    *,
    progress: Callable[[range], Iterable[int]] = iter,
) -> pd.DataFrame:
    """Write table.csv, twins.csv and split.csv of `run`; return the table."""
    table = ham10000.read(ham10000.find_directory(config.data.directory))
    if config.data.limit is not None and config.data.limit < len(table):
        table = sample_lesions(table, config.data.limit, config.seed)
    decoded = decode_all(list(table["path"]), cache, progress)
    twins = find_twins(decoded, config.data.split.twin_similarity)
    ids, lesions = table["image_id"].to_numpy(), table["lesion_id"].to_numpy()
    named = twins.assign(image_a=ids[twins["a"]], image_b=ids[twins["b"]])
    named["same_lesion_id"] = lesions[twins["a"]] == lesions[twins["b"]]
    columns = ["image_a", "image_b", "similarity", "same_lesion_id"]
    named.loc[:, columns].to_csv(run.path("twins.csv"), index=False, float_format="%.4f")
    table["group"] = group_lesions(table["lesion_id"], twins)
    table["part"] = split_by_group(table, config.data.split, config.seed)
    table.to_csv(run.path("table.csv"), index=False)
    write_split(table, run.path("split.csv"))
    joined = int((~named["same_lesion_id"]).sum())
    logger.info("%d twin pairs, %d of them across lesion ids", len(twins), joined)
    return table


def load_decoded(run: Run, cache: Path) -> Uint8Array:
    """The decoded pictures of a run in the order of its table."""
    return decode_all(list(run.table()["path"]), cache)


def sample_lesions(table: pd.DataFrame, limit: int, seed: int) -> pd.DataFrame:
    """Return about `limit` rows, whole lesions only, the share of malignant ones kept."""
    shuffled = np.random.default_rng(seed).permutation(table["lesion_id"].unique())
    rank = table["lesion_id"].map({lesion: number for number, lesion in enumerate(shuffled)})
    kept = table.loc[rank.sort_values(kind="stable").index[:limit]]
    whole = table["lesion_id"].isin(kept["lesion_id"])
    return table[whole].reset_index(drop=True)
