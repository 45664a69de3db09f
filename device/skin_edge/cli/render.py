"""A decision as text: what the answer is, what it rests on, and that it is not a diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skin_edge.cli.console import visible

if TYPE_CHECKING:
    from skin_edge.results.record import Burst, ResultRecord

_ADVICE = {
    "benign": "no sign of malignancy at this operating point",
    "malignant": "suspicious: refer to a clinician",
    "uncertain": "no reliable answer: retake the picture, or refer to a clinician",
}

TABLE_COLUMNS = ("image", "result", "probability", "refer", "why")


def card(record: ResultRecord) -> str:
    """Return a few lines about one decision; no library draws them, which keeps one picture fast."""
    lines = [
        ("result", f"{record.label}: {_ADVICE[record.label]}"),
        (
            "probability",
            f"{record.probability:.3f} of malignant, calibrated "
            f"(threshold {record.threshold:.3f}, {record.operating_point})",
        ),
    ]
    if why := reasons(record):
        lines.append(("why", why))
    if record.burst and record.burst.taken > 1:
        lines.append(("burst", _burst(record.burst)))
    lines.append(("model", f"{record.model.name} {record.model.version} ({record.model.sha256[:12]})"))
    lines.append(
        ("time", f"{record.timing_ms.total:.1f} ms, network {record.timing_ms.inference:.1f} ms of it")
    )
    if record.explanation_path:
        lines.append(("explained in", visible(record.explanation_path)))
    if record.result_id:
        lines.append(("logged as", record.result_id))
    body = "\n".join(f"  {name:<12}  {text}" for name, text in lines)
    return f"{visible(record.image)}\n{body}\n  {record.notice}"


def _burst(burst: Burst) -> str:
    refused = f", {burst.refused} refused" if burst.refused else ""
    return f"{burst.used} of {burst.taken} frames{refused}, spread {burst.spread:.2f} in log-odds"


def table_row(record: ResultRecord) -> tuple[str, ...]:
    """Return the cells of `TABLE_COLUMNS` for one decision."""
    return (
        record.image,
        record.label,
        f"{record.probability:.3f}",
        "yes" if record.refer else "no",
        reasons(record),
    )


def reasons(record: ResultRecord) -> str:
    """Return why a decision is uncertain, in words; empty where it is not."""
    from skin_edge.decision import FRAMES_DISAGREE, IN_ABSTAIN_BAND
    from skin_edge.quality import REASON_TEXT

    told = [REASON_TEXT[reason] for reason in record.quality.reasons]
    if IN_ABSTAIN_BAND in record.reasons:
        low, high = record.abstain_band
        told.append(f"the probability lies between {low:.3f} and {high:.3f}, where the model is often wrong")
    if FRAMES_DISAGREE in record.reasons:
        told.append("the frames of the burst disagree: hold still, with the lesion in the middle")
    return "; ".join(told)
