"""The figures of metrics.json as pictures. Bands and bars are 95 % intervals."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import precision_recall_curve, roc_curve

from skin_edge.model.manifest import Estimate
from skin_edge_training.evidence.document import Evidence, Subgroup

BLUE, ORANGE, GREY, GREEN = "#2a6f97", "#c8553d", "#8a8f98", "#588157"
POINT_COLOURS = (BLUE, ORANGE, GREEN, "#7a5195", "#b08900")
DOTS_PER_INCH = 144


def draw_plots(evidence: Evidence, predictions: pd.DataFrame) -> dict[str, bytes]:
    """Return every plot as PNG, by file name."""
    labels = predictions["malignant"].to_numpy(np.float64)
    scores = predictions["probability"].to_numpy(np.float64)
    plots = {
        "roc.png": _roc(evidence, labels, scores),
        "precision_recall.png": _precision_recall(evidence, labels, scores),
        "reliability.png": _reliability(evidence),
        "scores.png": _scores(evidence, labels, scores),
        "abstention.png": _abstention(evidence),
        "prevalence.png": _prevalence(evidence),
    }
    for kind in dict.fromkeys(group.kind for group in evidence.subgroups):
        members = [group for group in evidence.subgroups if group.kind == kind]
        plots[subgroup_file(kind, plots)] = _subgroups(evidence, kind, members)
    return {name: png(figure) for name, figure in plots.items()}


def subgroup_file(kind: str, taken: Iterable[str] = ()) -> str:
    """Return the name of a kind's plot: `subgroup_age.png`; numbered where that is taken."""
    stem = re.sub(r"[^a-z0-9]+", "_", kind.lower()).strip("_")[:40] or "kind"
    name, number = f"subgroup_{stem}.png", 1
    while name in set(taken):
        number += 1
        name = f"subgroup_{stem}_{number}.png"
    return name


def png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    # Without the program's version in it, the same figures give the same bytes.
    figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return stream.getvalue()


def new_axes(width: float, height: float, **labels: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    _style(axes)
    axes.set(**labels)
    axes.title.set_fontsize(11)
    return figure, axes


def _style(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors="#444a52", labelsize=9)


def _roc(evidence: Evidence, labels: Any, scores: Any) -> Figure:
    figure, axes = new_axes(5, 5, xlabel="1 - specificity", ylabel="sensitivity", title="ROC curve")
    false_positives, true_positives, _ = roc_curve(labels, scores)
    known = [(1 - p.specificity, p.sensitivity) for p in evidence.roc if p.sensitivity is not None]
    x = [at for at, _ in known]
    axes.fill_between(x, [e.low for _, e in known], [e.high for _, e in known], color=BLUE, alpha=0.15, lw=0)
    axes.plot(false_positives, true_positives, color=BLUE, label=f"AUROC {text(evidence.figures['auroc'])}")
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
    for point, colour in zip(evidence.operating_points, _cycle(len(evidence.operating_points)), strict=True):
        if point.sensitivity is None or point.specificity is None:
            continue
        axes.errorbar(
            1 - point.specificity.value,
            point.sensitivity.value,
            xerr=_reach(point.specificity, mirrored=True),
            yerr=_reach(point.sensitivity),
            fmt="o",
            ms=6,
            color=colour,
            lw=1.2,
            label=f"{point.name}{' (default)' if point.default else ''}",
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.legend(loc="lower right", fontsize=8.5, frameon=False)
    return figure


def _precision_recall(evidence: Evidence, labels: Any, scores: Any) -> Figure:
    figure, axes = new_axes(
        5, 5, xlabel="sensitivity (recall)", ylabel="PPV (precision)", title="Precision-recall curve"
    )
    precision, recall, _ = precision_recall_curve(labels, scores)
    axes.step(recall, precision, where="post", color=BLUE, label=f"AUPRC {text(evidence.figures['auprc'])}")
    prevalence = evidence.data.prevalence
    axes.axhline(prevalence, color=GREY, lw=1, ls=":", label=f"by chance {prevalence:.3f}")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.legend(loc="lower left", fontsize=8.5, frameon=False)
    return figure


def _reliability(evidence: Evidence) -> Figure:
    figure, axes = new_axes(
        5,
        5,
        xlabel="mean predicted probability",
        ylabel="share malignant",
        title="Reliability, ten bins of equal mass",
    )
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="perfect")
    bins = [(b.mean_probability, b.malignant) for b in evidence.reliability if b.malignant is not None]
    axes.errorbar(
        [x for x, _ in bins],
        [e.value for _, e in bins],
        yerr=_reaches([e for _, e in bins]),
        fmt="o-",
        ms=5,
        lw=1.2,
        color=BLUE,
        label=f"ECE {text(evidence.figures['ece'])}",
    )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.legend(loc="upper left", fontsize=8.5, frameon=False)
    return figure


def _scores(evidence: Evidence, labels: Any, scores: Any) -> Figure:
    figure, axes = new_axes(
        5,
        5,
        xlabel="predicted probability of malignant",
        ylabel="share of the class",
        title="Probabilities by truth",
    )
    edges = np.linspace(0, 1, 26)
    for label, colour, name in ((0, BLUE, "benign"), (1, ORANGE, "malignant")):
        inside = scores[labels == label]
        share = np.full(len(inside), 1 / len(inside))
        axes.hist(
            inside, bins=edges, weights=share, color=colour, alpha=0.55, label=f"{name}, {len(inside):,}"
        )
    for point in evidence.operating_points:
        style = "-" if point.default else ":"
        axes.axvline(point.threshold, color="#333333", lw=1, ls=style)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(0, 1)
    axes.legend(loc="upper right", fontsize=8.5, frameon=False, title="lines: thresholds", title_fontsize=8)
    return figure


def _abstention(evidence: Evidence) -> Figure:
    figure, axes = new_axes(
        10,
        4.2,
        xlabel="coverage: share of pictures answered",
        ylabel="share",
        title="Error by coverage",
    )
    for name, colour in (("error", "#333333"), ("sensitivity", ORANGE), ("specificity", BLUE)):
        line = [(p.coverage, getattr(p, name)) for p in evidence.abstention if getattr(p, name) is not None]
        _banded_line(axes, line, colour, name)
    uncertain = evidence.figures.get("answered uncertain")
    if uncertain is not None:
        axes.axvline(1 - uncertain.value, color=GREY, lw=1, ls="--", label="the bundle's abstain band")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(0, 1.01)
    axes.invert_xaxis()
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5, frameon=False)
    return figure


def _prevalence(evidence: Evidence) -> Figure:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    names = [point.name for point in evidence.operating_points]
    panels = (left, "ppv", "PPV: malignant among the flagged"), (right, "npv", "NPV: benign among the passed")
    for axes, value, title in panels:
        _style(axes)
        for name, colour in zip(names, _cycle(len(names)), strict=True):
            points = [p for p in evidence.prevalence if p.operating_point == name]
            line = [(p.prevalence, getattr(p, value)) for p in points if getattr(p, value) is not None]
            _banded_line(axes, line, colour, name)
        axes.set(title=title, xlabel="prevalence of malignant lesions", xscale="log")
        ticks = sorted({p.prevalence for p in evidence.prevalence})
        axes.set_xticks(ticks, [f"{t:.1%}".replace(".0%", "%") for t in ticks], rotation=45)
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    left.set_ylim(bottom=0)
    left.legend(loc="upper left", fontsize=8.5, frameon=False)
    return figure


def _subgroups(evidence: Evidence, kind: str, members: Sequence[Subgroup]) -> Figure:
    figure = Figure(figsize=(10, 1.3 + 0.32 * len(members)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    default = next(point for point in evidence.operating_points if point.default)
    overall = (default.sensitivity, default.specificity, evidence.figures["auroc"])
    places = np.arange(len(members))[::-1]
    for axes, name, whole in zip(panels, ("sensitivity", "specificity", "auroc"), overall, strict=True):
        _style(axes)
        if whole is not None:
            axes.axvspan(whole.low, whole.high, color=GREY, alpha=0.15, lw=0)
            axes.axvline(whole.value, color=GREY, lw=1)
        for place, member in zip(places, members, strict=True):
            found = getattr(member, name)
            if found is None:
                continue
            hollow = member.few or (name == "auroc" and member.auroc_against == "whole set")
            axes.errorbar(
                found.value,
                place,
                xerr=_reach(found),
                fmt="o",
                ms=5,
                lw=1.2,
                color=BLUE,
                mfc="white" if hollow else BLUE,
            )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(members) - 0.4))
        axes.set_title("AUROC" if name == "auroc" else f"{name}, {default.name}", fontsize=10)
    rows = [f"{_short(m.value)}  ({m.malignant:,}/{m.images:,})" for m in members]
    panels[0].set_yticks(places, rows)
    figure.suptitle(f"By {_short(kind)} (malignant / all pictures)", fontsize=11, x=0.01, ha="left")
    return figure


def _banded_line(axes: Any, line: Sequence[tuple[float, Estimate]], colour: str, name: str) -> None:
    x = [at for at, _ in line]
    axes.fill_between(x, [e.low for _, e in line], [e.high for _, e in line], color=colour, alpha=0.15, lw=0)
    axes.plot(x, [e.value for _, e in line], color=colour, lw=1.5, marker="o", ms=3, label=name)


def _reach(estimate: Estimate, *, mirrored: bool = False) -> list[list[float]]:
    """The two arms of an error bar; mirrored for one minus the figure."""
    arms = [[estimate.value - estimate.low], [estimate.high - estimate.value]]
    return arms[::-1] if mirrored else arms


def _reaches(estimates: Sequence[Estimate]) -> list[list[float]]:
    return [[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]]


def _cycle(count: int) -> list[str]:
    return [POINT_COLOURS[number % len(POINT_COLOURS)] for number in range(count)]


def _short(text: str) -> str:
    # matplotlib takes what stands between dollar signs for a formula.
    line = "".join(c if c.isprintable() else "?" for c in text).replace("$", r"\$")
    return line if len(line) <= 32 else f"{line[:31]}…"


def text(estimate: Estimate | None) -> str:
    """Return ``0.881 (0.857-0.903)``."""
    if estimate is None:
        return "not defined"
    return f"{estimate.value:.3f} ({estimate.low:.3f}-{estimate.high:.3f})"
