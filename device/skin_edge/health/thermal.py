"""Temperature and thermal capping as the kernel has them, in /sys/class/thermal.

Sources: Documentation/driver-api/thermal/sysfs-api.rst and cpu-cooling-api.rst of the kernel; zone names of
the Jetson Developer Guide (L4T 32.7 and 36.3), "Thermal Management".
"""

from __future__ import annotations

import re
from pathlib import Path

from skin_edge.health.sysfs import read_int, read_text

#: What is told about the processor: `cpu-thermal` (Raspberry Pi, Orin), `CPU-therm` (Jetson Nano),
#: `tj-thermal` (an Orin's hottest junction), `x86_pkg_temp` (a PC). Others are other parts of the machine.
_PROCESSOR = re.compile(r"cpu|soc|tj|x86_pkg|core", re.IGNORECASE)
#: Constants and computed figures: PMIC-Die of a Jetson is fixed at 50 or 100 degrees by design.
_NO_SENSOR = re.compile(r"pmic|fan-est|iwlwifi|battery", re.IGNORECASE)
#: Cooling devices that slow the processor, by the kernel's names then and now. A fan is no throttling.
_SLOWS = re.compile(r"cpufreq|^processor$", re.IGNORECASE)

_PLAUSIBLE_C = (-40.0, 150.0)


def temperature_c(root: Path = Path("/")) -> float | None:
    """Return the processor's temperature in degrees Celsius, the hottest where it has several sensors.

    Where no zone has a processor's name, the hottest of all zones counts. None where there is no zone.
    """
    processor: list[float] = []
    others: list[float] = []
    for zone in _entries(root, "thermal_zone"):
        kind, milli = read_text(zone / "type") or "", read_int(zone / "temp")
        if milli is None or _NO_SENSOR.search(kind):
            continue
        celsius = milli / 1000.0
        if _PLAUSIBLE_C[0] <= celsius <= _PLAUSIBLE_C[1]:
            (processor if _PROCESSOR.search(kind) else others).append(celsius)
    return max(processor or others, default=None)


def is_capped(root: Path = Path("/")) -> bool | None:
    """Return whether the kernel holds the processor's frequency down for heat; None where it does not say."""
    states = [
        state
        for device in _entries(root, "cooling_device")
        if _SLOWS.search(read_text(device / "type") or "")
        and (state := read_int(device / "cur_state")) is not None
    ]
    return any(state > 0 for state in states) if states else None


def _entries(root: Path, prefix: str) -> list[Path]:
    return sorted((root / "sys/class/thermal").glob(f"{prefix}[0-9]*"))
