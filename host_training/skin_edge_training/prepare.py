"""From folders of downloads to a run's table: read, decode, find twins and siblings, group, split."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from skin_edge import __version__
from skin_edge.durable import PUBLIC_MODE, replacing
from skin_edge.errors import UsageError
from skin_edge_training.audit import twins
from skin_edge_training.audit.groups import group_pictures
from skin_edge_training.audit.pictures import read_pictures
from skin_edge_training.audit.search import Progress
from skin_edge_training.audit.twins import Pair, find_pairs
from skin_edge_training.config import DataConfig, ExperimentConfig
from skin_edge_training.data.decoded import Uint8Array, decode_all
from skin_edge_training.data.readers import Listing, find_set, read_sets
from skin_edge_training.data.split import leaking, split_pictures, write_split
from skin_edge_training.provenance import describe
from skin_edge_training.run import Run

logger = logging.getLogger(__name__)

#: What a run's table keeps of the sets, besides group and part.
COLUMNS = (
    *("image_id", "path", "sha256", "set", "lesion_id", "malignant"),
    *("diagnosis", "age", "sex", "site", "source", "own_part"),
)


def silent(items: range, description: str) -> Iterable[int]:
    """Progress that nobody sees."""
    return items


def prepare(config: ExperimentConfig, run: Run, cache: Path, *, progress: Progress = silent) -> pd.DataFrame:
    """Write table.csv, twins.csv, split.csv and provenance.json of `run`; return the table.

    Args:
        config: the experiment.
        run: its folder.
        cache: folder for decoded pictures and found pairs, which runs share.
        progress: shows how far it has come.

    Raises:
        UsageError: a set is missing or not labelled, or the split cannot be made.
        ImageError: a picture cannot be read.
    """
    listing = read_sets([find_set(name) for name in config.data.sets])
    table = picture_table(listing, config.data)
    if config.data.limit is not None and config.data.limit < len(table):
        table = sample_lesions(table, config.data.limit, config.seed)
    decode_all(list(table["path"]), cache, lambda rows: progress(rows, "decode"))
    everyone = with_bridges(table, config.data)
    pairs = related_pictures(everyone, cache, progress)
    ids = everyone["image_id"].to_numpy(object)
    named = pd.DataFrame([asdict(pair) for pair in pairs], columns=["a", "b", "kind", "similarity"])
    named = named.assign(image_a=ids[named["a"].astype(int)], image_b=ids[named["b"].astype(int)])
    named[["image_a", "image_b", "kind", "similarity"]].to_csv(
        run.path("twins.csv"), index=False, float_format="%.4f"
    )
    table["group"] = group_pictures(everyone, pairs)[: len(table)]
    table["part"] = split_pictures(table, config.data.split, config.seed)
    table.to_csv(run.path("table.csv"), index=False)
    write_split(table, run.path("split.csv"))
    run.write_provenance(describe(config, table, listing.licences, run.split_sha256()))
    logger.info("%d pairs of twins and siblings; %d groups", len(pairs), table["group"].nunique())
    if lost := int(leaking(table).sum()):
        logger.warning("this split leaks: %d held-out pictures show a lesion that training learns from", lost)
    return table


def picture_table(listing: Listing, config: DataConfig) -> pd.DataFrame:
    """Return one row a picture, columns `COLUMNS`, labels as 0 or 1.

    Raises:
        UsageError: a picture is missing or has no label, or no label is one that counts as malignant.
    """
    if len(listing.absent):
        name, path = listing.absent.iloc[0]
        raise UsageError(f"{len(listing.absent)} pictures that {name} names are missing, the first: {path}")
    table = listing.table.rename(columns={"part": "own_part", "path": "below"})
    table["path"] = table["file"]
    if (unknown := table["label"] == "").any():
        first = table.loc[unknown, "path"].iloc[0]
        raise UsageError(f"{int(unknown.sum())} pictures have no label, the first: {first}; see data.sets")
    if not set(config.malignant) & set(table["label"]):
        found = ", ".join(sorted(table["label"].unique()))
        raise UsageError(
            f"data.malignant: no picture is labelled {' or '.join(config.malignant)}; found: {found}"
        )
    table["malignant"] = table["label"].isin(config.malignant).astype(int)
    table["age"] = pd.to_numeric(table["age"], errors="coerce")
    if table["set"].nunique() > 1:
        table["image_id"] = table["set"] + "/" + table["image_id"]
    table["sha256"] = [digest(path) for path in table["path"]]
    return table.sort_values("image_id", ignore_index=True).loc[:, list(COLUMNS)]


def with_bridges(table: pd.DataFrame, config: DataConfig) -> pd.DataFrame:
    """Return the rows of `table`, and behind them those of the sets that only tell what belongs together."""
    if not config.bridges:
        return table
    bridges = read_sets([find_set(name) for name in config.bridges]).table
    rows = bridges.assign(path=bridges["file"], image_id=bridges["set"] + "/" + bridges["image_id"])
    rows["sha256"] = [digest(path) for path in rows["path"]]
    return pd.concat([table, rows], ignore_index=True)


def digest(path: str) -> str:
    """Return the SHA-256 (hex) of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def related_pictures(table: pd.DataFrame, cache: Path, progress: Progress) -> list[Pair]:
    """Return the pairs of copies and siblings that the audit finds; `cache` keeps them for the next run."""
    bounds = (twins.TWIN_AGREEMENT, twins.UPRIGHT_AGREEMENT, twins.MAX_UPRIGHT_SKEW, twins.SIBLING_AGREEMENT)
    key = hashlib.sha256(f"{__version__} {bounds} {' '.join(table['sha256'])}".encode()).hexdigest()
    kept = cache / f"pairs-{key[:16]}.csv"
    if not kept.exists():
        workers = os.cpu_count() or 1
        pictures = read_pictures(table.assign(file=table["path"]), progress, workers)
        found = find_pairs(pictures.greys, pictures.digests, progress, workers)
        frame = pd.DataFrame([asdict(pair) for pair in found], columns=["a", "b", "kind", "similarity"])
        with replacing(kept, PUBLIC_MODE) as stream:
            stream.write(frame.to_csv(index=False).encode())
    return [Pair(int(a), int(b), kind, float(s)) for a, b, kind, s in _rows(kept)]


def _rows(path: Path) -> Sequence[tuple[int, int, str, float]]:
    return list(pd.read_csv(path).itertuples(index=False, name=None))


def load_decoded(run: Run, cache: Path) -> Uint8Array:
    """The decoded pictures of a run in the order of its table."""
    return decode_all(list(run.table()["path"]), cache)


def sample_lesions(table: pd.DataFrame, limit: int, seed: int) -> pd.DataFrame:
    """Return about `limit` rows, whole lesions only, the share of malignant ones kept."""
    lesion = table["lesion_id"].where(table["lesion_id"] != "", table["image_id"])
    shuffled = np.random.default_rng(seed).permutation(lesion.unique())
    rank = lesion.map({name: number for number, name in enumerate(shuffled)})
    kept = lesion.loc[rank.sort_values(kind="stable").index[:limit]]
    return table[lesion.isin(kept)].reset_index(drop=True)
