"""report.html: one file that a dermatologist and an engineer can read without anything else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from skin_edge.quality import REASON_TEXT
from skin_edge_training.evidence.document import Evidence, Subgroup
from skin_edge_training.evidence.plots import subgroup_file, text

#: More names than this are in metrics.json only.
MAX_NAMES = 20

TITLES = {
    "auroc": "AUROC",
    "auprc": "AUPRC (average precision)",
    "brier": "Brier score",
    "ece": "ECE, ten equal-mass bins",
    "answered uncertain": "share answered uncertain (abstain band)",
}

LEFT_OUT_TITLES = {
    "images_without_label": "pictures without a label",
    "labels_without_image": "labels without a picture",
    "labels_of_several_images": "labels that fit several pictures",
    "unreadable_images": "pictures that cannot be read",
}


def report(evidence: Evidence, plots: Mapping[str, bytes]) -> str:
    """Return the report as one HTML page with its plots inside.

    Args:
        evidence: what was measured.
        plots: file name to PNG, from `draw_plots`.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["ci"] = text
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    template = files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        e=evidence,
        default=next(point for point in evidence.operating_points if point.default),
        kinds=_kinds(evidence, plots),
        plots={name: b64encode(png).decode("ascii") for name, png in plots.items()},
        titles=TITLES,
        reason_text=REASON_TEXT,
        left_out=[
            (title, names, names[:MAX_NAMES])
            for field, title in LEFT_OUT_TITLES.items()
            for names in (getattr(evidence.left_out, field),)
            if names
        ],
    )


def _kinds(evidence: Evidence, plots: Mapping[str, bytes]) -> list[tuple[str, str, list[Subgroup]]]:
    """Return kind, plot and subgroups, named as `draw_plots` names them."""
    taken: list[str] = []
    found = []
    for kind in dict.fromkeys(group.kind for group in evidence.subgroups):
        taken.append(subgroup_file(kind, taken))
        found.append((kind, taken[-1], [group for group in evidence.subgroups if group.kind == kind]))
    return found
