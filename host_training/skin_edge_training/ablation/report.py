"""ablation.csv, ablation.md and ablation.png: the table, for machines, for people, and as a picture."""

from __future__ import annotations

import math

import pandas as pd

from skin_edge_training.ablation.plan import BASE
from skin_edge_training.evidence.plots import BLUE, GREY, new_axes, png


def markdown(table: pd.DataFrame) -> str:
    """Return the table as Markdown, differences in thousandths of AUROC."""
    lines = [
        "| arm | seeds | AUROC | between seeds | difference in 1/1000 (95 % CI) | verdict | AUROC elsewhere "
        "| cost | bytes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table.itertuples(index=False):
        gap = "" if row.arm == BASE else f"{_milli(row.difference)} ({_milli(row.low)} to {_milli(row.high)})"
        elsewhere = "" if math.isnan(row.auroc_elsewhere) else f"{row.auroc_elsewhere:.3f}"
        lines.append(
            f"| {row.arm} | {row.seeds} | {row.auroc:.4f} | {row.spread:.4f} | {gap} | {row.verdict} | "
            f"{elsewhere} | {row.cost_ratio:.2f} | {row.size_bytes:,} |"
        )
    return "\n".join(lines) + "\n"


def picture(table: pd.DataFrame) -> bytes:
    """Return the differences with their intervals as PNG."""
    arms = table[table["arm"] != BASE].iloc[::-1]
    figure, panel = new_axes(
        7.5, 1.0 + 0.32 * len(arms), xlabel="AUROC less the base's, validation lesions, 95 % CI"
    )
    panel.axvline(0.0, color=GREY, linewidth=1)
    reach = [arms["difference"] - arms["low"], arms["high"] - arms["difference"]]
    panel.errorbar(arms["difference"], range(len(arms)), xerr=reach, fmt="o", color=BLUE, capsize=3)
    panel.set_yticks(
        range(len(arms)),
        [f"{arm} ({factor})" for arm, factor in zip(arms["arm"], arms["factor"], strict=True)],
    )
    return png(figure)


def _milli(value: float) -> str:
    return f"{value * 1000:+.1f}"
