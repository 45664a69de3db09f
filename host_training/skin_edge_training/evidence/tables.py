"""The lists of metrics.json as flat csv tables: an interval becomes three columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pandas as pd

from skin_edge.model.manifest import Estimate
from skin_edge_training.evidence.document import Evidence


def tables(evidence: Evidence) -> dict[str, bytes]:
    """Return every table as UTF-8 csv, by file name."""
    figures = pd.DataFrame([_flat({"figure": n, "": e}) for n, e in evidence.figures.items()])
    answers = msgspec.to_builtins(evidence.answers)
    frames = {
        "figures.csv": figures,
        "operating_points.csv": _frame(evidence.operating_points),
        "answers.csv": pd.DataFrame([{"truth": truth, **counts} for truth, counts in answers.items()]),
        "reliability.csv": _frame(evidence.reliability),
        "roc.csv": _frame(evidence.roc),
        "abstention.csv": _frame(evidence.abstention),
        "prevalence.csv": _frame(evidence.prevalence),
        "subgroups.csv": _frame(evidence.subgroups),
    }
    return {name: csv_bytes(frame) for name, frame in frames.items()}


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """Return a table as UTF-8 csv with seven digits."""
    text: str = frame.to_csv(index=False, float_format="%.7g", lineterminator="\n")
    return text.encode("utf-8")


def _frame(rows: Iterable[Any]) -> pd.DataFrame:
    return pd.DataFrame([_flat(msgspec.structs.asdict(row)) for row in rows])


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Estimate):
            for part in ("value", "low", "high"):
                key = name if part == "value" and name else f"{name}_{part}".strip("_")
                flat[key] = getattr(value, part)
        elif isinstance(value, msgspec.Struct):
            flat.update(msgspec.structs.asdict(value))
        elif name:
            flat[name] = value
    return flat
