"""Clock, temperature, throttling and power supply."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing

from skin_edge.errors import StorageError
from skin_edge.health.checks.check import Context, Finding
from skin_edge.health.clock import read_clock
from skin_edge.health.monitor import created_s
from skin_edge.results.connect import open_to_read
from skin_edge.results.log import BUSY_TIMEOUT_S, FILE_NAME

#: Rows are a little older than the moment at which they are looked at, never younger.
_FUTURE_S = 2.0


def check_clock(context: Context) -> Finding:
    """Can the times in the log be believed."""
    report = read_clock(context.root)
    newest = _newest_row(context)
    ahead_s = 0.0 if newest is None else created_s(newest) - time.time()
    data = {"state": report.state, "newest_row": newest}
    set_it = (
        "connect a network for NTP, or fit a hardware clock with a battery; `timedatectl` shows the state"
    )
    if report.impossible:
        return Finding(status="fail", message=f"the clock is {report.why}", fix=set_it, data=data)
    if ahead_s > _FUTURE_S:
        return Finding(
            status="warn",
            message=f"the clock is {ahead_s:.0f} s behind the newest row of the log ({newest})",
            fix="set the clock; where it is right now, it was wrong when that row was made, "
            "and the order of the rows is still the true one",
            data=data,
        )
    if report.state == "unset":
        return Finding(status="warn", message=f"the clock is {report.why}", fix=set_it, data=data)
    if report.state == "unknown":
        return Finding(status="skip", message=f"the clock is {report.why}", data=data)
    return Finding(status="ok", message=f"the clock is {report.why}", data=data)


def check_temperature(context: Context) -> Finding:
    """Is the processor cool enough to keep its speed."""
    celsius, limits = context.readings.temperature_c, context.settings.health
    if celsius is None:
        return Finding(status="skip", message="this machine tells no temperature")
    data = {"temperature_c": celsius}
    cool = "give the board air, a heat sink or a fan, and keep it out of the sun"
    if celsius > limits.max_temperature_c:
        return Finding(
            status="fail",
            message=f"{celsius:.1f} °C, above health.max_temperature_c ({limits.max_temperature_c:g})",
            fix=cool,
            data=data,
        )
    if celsius > limits.warn_temperature_c:
        return Finding(
            status="warn",
            message=f"{celsius:.1f} °C, above health.warn_temperature_c ({limits.warn_temperature_c:g})",
            fix=cool,
            data=data,
        )
    return Finding(status="ok", message=f"{celsius:.1f} °C", data=data)


def check_throttling(context: Context) -> Finding:
    """Is or was the processor slowed down, by heat or by lack of power."""
    power, mhz, top = context.readings.power, context.readings.cpu_mhz, context.readings.cpu_max_mhz
    speed = "" if mhz is None or top is None else f", {mhz:.0f} of {top:.0f} MHz now"
    data = {"causes": list(power.causes), "cpu_mhz": mhz, "cpu_max_mhz": top}
    if power.throttled is None and power.throttled_since_boot is None:
        return Finding(status="skip", message=f"this machine tells no throttling{speed}", data=data)
    causes = ", ".join(power.causes)
    if power.throttled and context.readings.power.under_voltage:
        return Finding(
            status="fail",
            message=f"the processor is slowed down for lack of power: {causes}{speed}",
            fix="use the supply that the board's maker names, with a short, thick cable",
            data=data,
        )
    if power.throttled or power.throttled_since_boot:
        when = "is" if power.throttled else "was, at some time since the machine started,"
        return Finding(
            status="warn",
            message=f"the processor {when} slowed down: {causes or 'no cause is told'}{speed}",
            fix="cool the board, use a stronger supply; `skin-edge bench --minutes 10` shows what it costs",
            data=data,
        )
    return Finding(status="ok", message=f"not slowed down{speed}", data=data)


def check_power(context: Context) -> Finding:
    """Is or was the supply too weak: that damages memory cards and makes cameras vanish."""
    power = context.readings.power
    data = {"causes": list(power.causes)}
    fix = "use the supply that the board's maker names, with a short, thick cable; unplug USB devices"
    if power.under_voltage:
        return Finding(status="fail", message="the supply voltage is too low now", fix=fix, data=data)
    if power.under_voltage_since_boot:
        return Finding(
            status="warn",
            message="the supply voltage was too low at some time since the machine started",
            fix=fix,
            data=data,
        )
    if power.under_voltage is None and power.under_voltage_since_boot is None:
        return Finding(status="skip", message="this machine tells nothing of its supply voltage")
    return Finding(status="ok", message="the supply voltage is good", data=data)


def _newest_row(context: Context) -> str | None:
    """When the last acknowledged row was made; what is wrong with the log is the log check's to tell."""
    path = context.state_dir / FILE_NAME
    if not os.path.exists(path):  # noqa: PTH110 - no error where it is forbidden
        return None
    try:
        connection, _ = open_to_read(path, BUSY_TIMEOUT_S)
        with closing(connection) as log:
            row = log.execute("SELECT created_at FROM results ORDER BY seq DESC LIMIT 1").fetchone()
    except (StorageError, sqlite3.Error):
        return None
    return row[0] if row else None
