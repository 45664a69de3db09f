"""How well the service served meanwhile: what the prober in the machine was answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import Machine
from service import HERE

_PROBER = "/opt/prober.py"
_ANSWERS = "/root/answers.jsonl"


@dataclass(frozen=True, slots=True)
class Gap:
    """A spell without a good answer, from the question after the last one to the next good answer.

    Attributes:
        seconds: its length.
        restarts: how many other processes answered after it than before: 0 where the same one goes on.
        causes: what was said meanwhile.
    """

    seconds: float
    restarts: int
    causes: tuple[str, ...]


class Prober:
    """Asks /healthz in the machine every second from `start` on."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._machine = machine
        self._folder = folder

    def start(self) -> None:
        """Begin to ask, in a unit of its own."""
        self._machine.copy_in(HERE / "prober.py", _PROBER)
        self._machine.ssh(
            f"rm -f {_ANSWERS}; systemd-run --quiet --unit=skin-edge-prober python3 {_PROBER} {_ANSWERS}"
        )

    def stop(self) -> None:
        """Ask no more."""
        self._machine.ssh("systemctl stop skin-edge-prober", check=False)

    def now(self) -> float:
        """Return the machine's monotonic clock, in seconds."""
        return float(self._machine.ssh("cut -d ' ' -f 1 /proc/uptime").stdout)

    def answers(self) -> list[dict[str, Any]]:
        """Return all answers so far."""
        local = self._folder / "answers.jsonl"
        self._machine.copy_out(_ANSWERS, local)
        lines = local.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def gaps(self, since_s: float) -> list[Gap]:
        """Return the spells without a good answer that began after `since_s` of the machine's clock."""
        found: list[Gap] = []
        bad: list[dict[str, Any]] = []
        pid = None
        for answer in self.answers():
            if answer["http"] != 200:
                bad.append(answer)
                continue
            if bad and bad[0]["asked"] >= since_s:
                causes = tuple(dict.fromkeys(str(each["cause"]) for each in bad))
                found.append(
                    Gap(answer["answered"] - bad[0]["asked"], int(pid not in (None, answer["pid"])), causes)
                )
            bad, pid = [], answer["pid"]
        assert not bad or bad[0]["asked"] < since_s, f"no good answer yet after {bad[0]}"
        return found
