"""The readings of this machine, from whatever tells them: kernel, Raspberry Pi firmware, Jetson counters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from skin_edge.health import raspberry, thermal
from skin_edge.health.jetson import EventCounters
from skin_edge.health.raspberry import Power, Question
from skin_edge.health.sysfs import read_int


@dataclass(frozen=True, slots=True)
class Readings:
    """How the machine is. None is what it does not tell; it is never a zero.

    Attributes:
        temperature_c: of the processor, in degrees Celsius.
        power: throttling and under-voltage.
        cpu_mhz: frequency of the fastest core now.
        cpu_max_mhz: what the hardware allows, whatever holds it down.
    """

    temperature_c: float | None
    power: Power
    cpu_mhz: float | None
    cpu_max_mhz: float | None


class Platform:
    """Everything that this machine tells about itself; a context manager, since a question may be open.

    Args:
        root: of the file system; tests give trees recorded elsewhere.
        timeout_s: seconds that vcgencmd may take.
    """

    def __init__(self, root: Path = Path("/"), *, timeout_s: float = raspberry.TIMEOUT_S) -> None:
        self.root = root
        self._throttled = Question(root, "get_throttled", timeout_s=timeout_s)
        self._temperature = Question(root, "measure_temp", timeout_s=timeout_s)
        self._events = EventCounters(root)

    def __enter__(self) -> Platform:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End questions that are still open."""
        self._throttled.close()
        self._temperature.close()

    def read(self, *, wait: bool = True) -> Readings:
        """Return the readings.

        Args:
            wait: False takes what vcgencmd said to the question before, so that no frame waits for it.
        """
        temperature = thermal.temperature_c(self.root)
        if temperature is None:
            temperature = raspberry.parse_temperature(self._temperature.ask(wait=wait))
        firmware = raspberry.parse_throttled(self._throttled.ask(wait=wait))
        told = (
            firmware or raspberry.power_from_kernel(self.root),
            self._events.read(),
            Power(throttled=thermal.is_capped(self.root)),
        )
        return Readings(temperature, _together([p for p in told if p is not None]), *_frequency(self.root))


def _together(told: list[Power]) -> Power:
    """One picture of several sources: true where one says so, false where one denies it and none says so."""
    causes = [cause for power in told for cause in power.causes]
    if not causes and any(power.throttled for power in told):
        causes = ["frequency capped by the kernel for heat"]
    return Power(
        _any(p.throttled for p in told),
        _any(p.under_voltage for p in told),
        _any(p.throttled_since_boot for p in told),
        _any(p.under_voltage_since_boot for p in told),
        tuple(causes),
    )


def _any(values: Iterable[bool | None]) -> bool | None:
    known = [value for value in values if value is not None]
    return any(known) if known else None


def _frequency(root: Path) -> tuple[float | None, float | None]:
    """Current and highest frequency over all cores, MHz (Documentation/admin-guide/pm/cpufreq.rst)."""
    current, highest = [], []
    for policy in (root / "sys/devices/system/cpu/cpufreq").glob("policy[0-9]*"):
        if (khz := read_int(policy / "scaling_cur_freq")) is not None:
            current.append(khz / 1e3)
        if (khz := read_int(policy / "cpuinfo_max_freq")) is not None:
            highest.append(khz / 1e3)
    return max(current, default=None), max(highest, default=None)
