"""Reader for HAM10000 (Tschandl, Rosendahl & Kittler 2018): metadata csv and an images folder.

A reader returns one row a picture with the columns of `COLUMNS`; another set joins by adding a reader of
the same shape to `skin_edge_training.data.readers`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from skin_edge.errors import UsageError

COLUMNS = ("image_id", "path", "lesion_id", "malignant", "diagnosis", "age", "sex", "site", "source")

#: Melanoma, basal cell carcinoma, actinic keratosis / intraepithelial carcinoma.
MALIGNANT = frozenset({"mel", "bcc", "akiec"})

METADATA = "HAM10000_metadata.csv"
LICENCE = "HAM10000: CC BY-NC 4.0 (Tschandl et al. 2018, doi:10.1038/sdata.2018.161)"


def find_directory(configured: str | None) -> Path:
    """Where HAM10000 lies: the configured folder, else SKIN_EDGE_DATA/ham10000, else ../shared/data/ham10000.

    Raises:
        UsageError: no such folder holds the metadata file.
    """
    if configured is not None:
        candidates = [Path(configured)]
    else:
        roots = [os.environ["SKIN_EDGE_DATA"]] if os.environ.get("SKIN_EDGE_DATA") else ["../shared/data"]
        candidates = [Path(root) / "ham10000" for root in roots]
    for candidate in candidates:
        if (candidate / METADATA).is_file():
            return candidate
    tried = ", ".join(str(c) for c in candidates)
    raise UsageError(
        f"HAM10000 not found: no {METADATA} in {tried}; "
        "set SKIN_EDGE_DATA to the folder that holds ham10000/, or data.directory in the config"
    )


def read(directory: Path) -> pd.DataFrame:
    """Return one row a picture, columns `COLUMNS`, in the order of image_id.

    Raises:
        UsageError: a column or a picture that the metadata names is missing.
    """
    table = pd.read_csv(directory / METADATA)
    needed = {"lesion_id", "image_id", "dx", "age", "sex", "localization", "dataset"}
    if missing := needed - set(table.columns):
        raise UsageError(f"{directory / METADATA}: missing columns: {', '.join(sorted(missing))}")
    table = table.rename(columns={"dx": "diagnosis", "localization": "site", "dataset": "source"})
    table["malignant"] = table["diagnosis"].isin(MALIGNANT).astype(int)
    table["path"] = [str(directory / "images" / f"{i}.jpg") for i in table["image_id"]]
    absent = [p for p in table["path"] if not Path(p).is_file()]
    if absent:
        raise UsageError(f"{len(absent)} pictures named in {METADATA} are missing, the first: {absent[0]}")
    return table.loc[:, list(COLUMNS)].sort_values("image_id", ignore_index=True)
