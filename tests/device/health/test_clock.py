"""Whether the wall clock can be believed."""

from __future__ import annotations

import calendar
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml
from recorded_machines import JETSON_ORIN, PC, PI_4, PI_5, write_machine

from skin_edge.health.clock import RELEASED, kernel_synchronised, read_clock
from skin_edge.model.locate import default_bundle_path

RTC_S = 1_800_000_000.0  # what the recorded hardware clocks show: 2027-01-15


def unsynchronised() -> bool:
    return False


def test_a_pi_that_nothing_has_set_is_unset_however_plausible_its_time(tmp_path: Path) -> None:
    write_machine(tmp_path, PI_4)
    report = read_clock(tmp_path, now_s=RTC_S, synchronised=unsynchronised)
    assert report.state == "unset"
    assert not report.impossible
    assert "no hardware clock" in report.why


def test_a_pi_that_ntp_has_set_is_synchronised(tmp_path: Path) -> None:
    write_machine(tmp_path, PI_4)
    assert read_clock(tmp_path, now_s=RTC_S, synchronised=lambda: True).state == "synchronised"
    write_machine(tmp_path, {"run/systemd/timesync/synchronized": ""})
    assert read_clock(tmp_path, now_s=RTC_S, synchronised=unsynchronised).state == "synchronised"


@pytest.mark.parametrize("year", [1970, 2000, 2019, 2025])
def test_a_time_before_the_release_is_wrong_whatever_else_is_said(tmp_path: Path, year: int) -> None:
    write_machine(tmp_path, PI_5 | {"run/systemd/timesync/synchronized": ""})
    now_s = calendar.timegm((year, 6, 1, 0, 0, 0))
    report = read_clock(tmp_path, now_s=now_s, synchronised=lambda: True)
    assert (report.state, report.impossible) == ("unset", True)
    assert str(year) in report.why


@pytest.mark.parametrize("machine", [PI_5, JETSON_ORIN, PC])
def test_a_hardware_clock_that_agrees_is_believed(tmp_path: Path, machine: dict[str, str]) -> None:
    write_machine(tmp_path, machine)
    assert read_clock(tmp_path, now_s=RTC_S + 30, synchronised=unsynchronised).state == "rtc"


def test_a_hardware_clock_without_battery_is_not_believed(tmp_path: Path) -> None:
    write_machine(tmp_path, PI_5 | {"sys/class/rtc/rtc0/since_epoch": "47\n"})
    report = read_clock(tmp_path, now_s=RTC_S, synchronised=unsynchronised)
    assert report.state == "unset"


def test_a_hardware_clock_that_cannot_be_read_leaves_it_open(tmp_path: Path) -> None:
    write_machine(tmp_path, PI_5 | {"sys/class/rtc/rtc0/since_epoch": "\n"})
    assert read_clock(tmp_path, now_s=RTC_S, synchronised=unsynchronised).state == "unknown"


@pytest.mark.parametrize("kernel", [False, None])
def test_a_container_does_not_tell(tmp_path: Path, kernel: bool | None) -> None:
    assert read_clock(tmp_path, now_s=RTC_S, synchronised=lambda: kernel).state == "unknown"


def test_the_kernel_of_this_machine_answers() -> None:
    assert kernel_synchronised() in (True, False)


def test_the_release_date_is_not_older_than_the_shipped_model_and_not_to_come() -> None:
    manifest = yaml.safe_load((default_bundle_path() / "manifest.yaml").read_text("utf-8"))
    made = datetime.fromisoformat(str(manifest["created"]).replace("Z", "+00:00"))
    assert datetime.now(timezone.utc) >= RELEASED
    assert (made - RELEASED).days <= 60, "move skin_edge.health.clock.RELEASED: this is a new release"
    assert time.time() > RELEASED.timestamp()
