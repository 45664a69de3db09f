"""The table of power cuts: a line for each, in a CSV file that outlives the tests where it is asked for."""

from __future__ import annotations

import csv
import logging
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

#: Names the file; without it the table is only logged.
TABLE_VARIABLE = "SKIN_EDGE_POWER_CUTS_CSV"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut, and what came after it.

    Attributes:
        what: that was under way, as `deploy --bundle`.
        trigger: the step that was waited for, or `random`.
        later_s: seconds from then to the cut; for `random`, from the start of the command.
        last_step: that had been seen by then; empty where none had.
        command_said: status of the command that was cut, and its error's code.
        after_reboot: `old`, `new` or `nothing`: what is in use.
        doctor: its exit status; None where nothing is installed.
        healthy_s: from power on to a classified frame, or to SSH where nothing is installed.
        leftovers: files of no use after the reboot, before the command ran again.
        again: what the same command said then.
        again_s: how many seconds that took.
    """

    what: str
    trigger: str
    later_s: float
    last_step: str
    command_said: str
    after_reboot: str
    doctor: int | None
    healthy_s: float
    leftovers: int
    again: str
    again_s: float


def note(cut: Cut) -> None:
    """Log a cut, and add it to the table."""
    log.info("power cut: %s", cut)
    place = os.environ.get(TABLE_VARIABLE)
    if not place:
        return
    path = Path(place)
    fresh = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Cut)], lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow({k: round(v, 1) if isinstance(v, float) else v for k, v in asdict(cut).items()})
