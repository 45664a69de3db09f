"""What the firmware of a Raspberry Pi says about power and heat.

Sources: "vcgencmd" in the Raspberry Pi documentation (get_throttled, measure_temp); the kernel's drivers
firmware/raspberrypi.c (get_throttled, hexadecimal, deprecated), hwmon/raspberrypi-hwmon.c (in0_lcrit_alarm).
"""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from skin_edge.health.sysfs import read_int, read_text

VCGENCMD = ("usr/bin/vcgencmd", "opt/vc/bin/vcgencmd")
#: It answers within 10 ms; one that takes longer waits for a firmware that hangs.
TIMEOUT_S = 1.0

UNDER_VOLTAGE, CAPPED, THROTTLED, SOFT_LIMIT = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_SLOWED = CAPPED | THROTTLED | SOFT_LIMIT
_SINCE_BOOT = 16
_NAMES = {
    UNDER_VOLTAGE: "under-voltage",
    CAPPED: "frequency capped",
    THROTTLED: "throttled",
    SOFT_LIMIT: "soft temperature limit",
}


@dataclass(frozen=True, slots=True)
class Power:
    """Throttling and under-voltage; None is what the machine does not tell.

    Attributes:
        throttled: the processor is slowed down now, by heat or by lack of power.
        under_voltage: the supply is below what the board needs now.
        throttled_since_boot, under_voltage_since_boot: it was so at some time since the machine started.
        causes: names of all that is or was so, as in ``under-voltage (since boot)``.
    """

    throttled: bool | None = None
    under_voltage: bool | None = None
    throttled_since_boot: bool | None = None
    under_voltage_since_boot: bool | None = None
    causes: tuple[str, ...] = ()


def decode_throttled(bits: int) -> Power:
    """Return what the bit field of `get_throttled` means.

    Bits 0 to 3 are under-voltage, frequency capped, throttled and soft temperature limit now; bits 16 to 19
    the same since boot.
    """
    ever = bits >> _SINCE_BOOT
    causes = [name for bit, name in _NAMES.items() if bits & bit]
    causes += [f"{name} (since boot)" for bit, name in _NAMES.items() if ever & bit]
    return Power(
        throttled=bool(bits & _SLOWED),
        under_voltage=bool(bits & UNDER_VOLTAGE),
        throttled_since_boot=bool(ever & _SLOWED),
        under_voltage_since_boot=bool(ever & UNDER_VOLTAGE),
        causes=tuple(causes),
    )


def parse_throttled(answer: str | None) -> Power | None:
    """Return the meaning of ``throttled=0x50005``; None for any other text."""
    match = re.fullmatch(r"throttled=0x([0-9a-fA-F]{1,8})", (answer or "").strip())
    return decode_throttled(int(match[1], 16)) if match else None


def parse_temperature(answer: str | None) -> float | None:
    """Return the degrees Celsius in ``temp=48.3'C``; None for any other text."""
    match = re.fullmatch(r"temp=(-?\d{1,3}(?:\.\d+)?)'C", (answer or "").strip())
    return float(match[1]) if match else None


def power_from_kernel(root: Path = Path("/")) -> Power | None:
    """Return what the kernel knows where there is no vcgencmd; None where it knows nothing.

    The kernel asks every two seconds and has the firmware forget what was: "since boot" is never denied here.
    """
    bits = read_int(root / "sys/devices/platform/soc/soc:firmware/get_throttled", 16)
    if bits is not None:
        told = decode_throttled(bits)
        return Power(
            told.throttled,
            told.under_voltage,
            told.throttled_since_boot or None,
            told.under_voltage_since_boot or None,
            told.causes,
        )
    for hwmon in sorted((root / "sys/class/hwmon").glob("hwmon[0-9]*")):
        if read_text(hwmon / "name") == "rpi_volt":
            alarm = read_int(hwmon / "in0_lcrit_alarm")
            if alarm is not None:
                low = alarm != 0
                return Power(
                    under_voltage=low,
                    under_voltage_since_boot=low or None,
                    causes=("under-voltage",) if low else (),
                )
    return None


class Question:
    """One question to vcgencmd, asked again and again without making the asker wait.

    Args:
        root: where the program is looked for.
        words: its arguments.
        timeout_s: seconds after which an answer is given up.
    """

    def __init__(self, root: Path, *words: str, timeout_s: float = TIMEOUT_S) -> None:
        found = next((p for name in VCGENCMD if (p := root / name).is_file()), None)
        self._command = None if found is None else [str(found), *words]
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[str] | None = None
        self._asked_s = 0.0
        self._answer: str | None = None

    def ask(self, *, wait: bool) -> str | None:
        """Return the newest answer; None where there is no such program or it gave none.

        Args:
            wait: True waits for a fresh answer, up to the time-out. False takes the answer to the question
                asked last time, if it has come, and asks again.
        """
        if self._command is None:
            return None
        if wait:
            self._start()
            self._collect(self._timeout_s)
        else:
            self._collect(0.0)
            self._start()
        return self._answer

    def close(self) -> None:
        """End a question that is still open."""
        if self._process is not None:
            self._process.kill()
            self._collect(self._timeout_s)

    def _start(self) -> None:
        if self._process is not None or self._command is None:
            return
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
            )
        except OSError:
            self._answer = None
        self._asked_s = time.monotonic()

    def _collect(self, wait_s: float) -> None:
        process = self._process
        if process is None:
            return
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            if time.monotonic() - self._asked_s >= self._timeout_s:
                self._answer = None
                # Not waited for: one that sleeps in the kernel dies when it wakes up, and is collected then.
                process.kill()
            return
        self._process = None
        if process.stdout is not None:
            with process.stdout as stream:
                text = stream.read()
            self._answer = text if process.returncode == 0 else None
