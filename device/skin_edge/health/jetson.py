"""What a Jetson counts of over-current and under-voltage events, which slow its processor down.

Source: Jetson Developer Guide, "Jetson Orin Nano Series, Jetson Orin NX Series and Jetson AGX Orin Series",
L4T 36.3, over-current throttling: ``ocN_event_cnt`` since boot, in the hwmon of the name ``soctherm_oc``. On
an Orin 1 is under-voltage, 2 average and 3 instantaneous over-current; on a Xavier they mean other things.
"""

from __future__ import annotations

import re
from pathlib import Path

from skin_edge.health.raspberry import Power
from skin_edge.health.sysfs import board, read_int, read_text

_ORIN_NAMES = {1: "under-voltage", 2: "average over-current", 3: "instantaneous over-current"}


class EventCounters:
    """The counters of one machine; what happens now is told from their growth between two looks.

    Args:
        root: of the file system.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._files: dict[int, Path] = {}
        for hwmon in sorted((root / "sys/class/hwmon").glob("hwmon[0-9]*")):
            if read_text(hwmon / "name") == "soctherm_oc":
                for file in sorted(hwmon.glob("oc[0-9]_event_cnt")):
                    self._files[int(re.sub(r"\D", "", file.name))] = file
        self._names = _ORIN_NAMES if self._files and "Orin" in (board(root) or "") else {}
        self._last: dict[int, int] = {}

    def read(self) -> Power | None:
        """Return what was counted since boot, and since the last call; None where nothing is counted."""
        counts = {n: count for n, file in self._files.items() if (count := read_int(file)) is not None}
        if not counts:
            return None
        grown = {n: counts[n] > self._last[n] for n in counts if n in self._last}
        self._last = counts
        low = next((n for n, name in self._names.items() if name == "under-voltage" and n in counts), None)
        return Power(
            throttled=any(grown.values()) if grown else None,
            under_voltage=None if low is None else grown.get(low),
            throttled_since_boot=any(counts.values()),
            under_voltage_since_boot=None if low is None else counts[low] > 0,
            causes=tuple(
                f"{self._names.get(n, f'OC{n} event')} ({count} times since boot)"
                for n, count in sorted(counts.items())
                if count
            ),
        )
