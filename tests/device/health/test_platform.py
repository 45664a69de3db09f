"""Readings of each kind of machine, by files written down from documentation."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from recorded_machines import (
    JETSON_NANO,
    JETSON_ORIN,
    PC,
    PI_3_OLD_KERNEL,
    PI_4,
    write_machine,
    write_vcgencmd,
)

from skin_edge.health.platform import Platform, Readings
from skin_edge.health.sysfs import board, read_int
from skin_edge.health.thermal import is_capped, temperature_c


def read(root: Path) -> Readings:
    with Platform(root) as platform:
        return platform.read()


def test_a_pi_with_vcgencmd_tells_everything(tmp_path: Path) -> None:
    write_vcgencmd(write_machine(tmp_path, PI_4), throttled="0x50005")
    found = read(tmp_path)
    assert (found.temperature_c, found.cpu_mhz, found.cpu_max_mhz) == (48.312, 1500.0, 1800.0)
    assert (found.power.throttled, found.power.under_voltage) == (True, True)
    assert (found.power.throttled_since_boot, found.power.under_voltage_since_boot) == (True, True)
    assert found.power.causes[0] == "under-voltage"
    assert board(tmp_path) == "Raspberry Pi 4 Model B Rev 1.4"


def test_a_pi_without_vcgencmd_tells_its_voltage_only(tmp_path: Path) -> None:
    power = read(write_machine(tmp_path, PI_4)).power
    assert (power.under_voltage, power.throttled) == (False, None)
    assert power.under_voltage_since_boot is None, "the kernel forgets: nothing is denied"
    (tmp_path / "sys/class/hwmon/hwmon1/in0_lcrit_alarm").write_text("1\n")
    power = read(tmp_path).power
    assert (power.under_voltage, power.under_voltage_since_boot) == (True, True)


def test_an_old_kernel_of_a_pi_has_the_bit_field_in_a_file(tmp_path: Path) -> None:
    power = read(write_machine(tmp_path, PI_3_OLD_KERNEL)).power
    assert (power.throttled, power.throttled_since_boot) == (True, True)
    assert (power.under_voltage, power.under_voltage_since_boot) == (False, None)
    assert power.causes == ("soft temperature limit", "soft temperature limit (since boot)")


def test_vcgencmd_gives_the_temperature_where_there_is_no_zone(tmp_path: Path) -> None:
    write_vcgencmd(tmp_path, celsius="61.2")
    assert read(tmp_path).temperature_c == 61.2


def test_a_jetson_nano_is_as_warm_as_its_processor_and_not_as_its_constants(tmp_path: Path) -> None:
    found = read(write_machine(tmp_path, JETSON_NANO))
    assert found.temperature_c == 44.0
    assert found.power.throttled is False, "a running fan is no throttling"
    (tmp_path / "sys/class/thermal/cooling_device0/cur_state").write_text("3\n")
    power = read(tmp_path).power
    assert (power.throttled, power.causes) == (True, ("frequency capped by the kernel for heat",))


def test_an_orin_counts_over_current_and_tells_now_by_growth(tmp_path: Path) -> None:
    write_machine(tmp_path, JETSON_ORIN)
    with Platform(tmp_path) as platform:
        first = platform.read()
        assert first.temperature_c == 52.25
        assert first.cpu_mhz == 1510.4
        assert first.power.throttled is None, "one look at a counter says nothing of now"
        assert (first.power.throttled_since_boot, first.power.under_voltage_since_boot) == (True, False)
        assert first.power.causes == ("instantaneous over-current (37 times since boot)",)
        second = platform.read()
        assert (second.power.throttled, second.power.under_voltage) == (False, False)
        (tmp_path / "sys/class/hwmon/hwmon3/oc1_event_cnt").write_text("2\n")
        third = platform.read()
        assert (third.power.throttled, third.power.under_voltage) == (True, True)
        assert third.power.under_voltage_since_boot is True


def test_the_counters_of_a_xavier_are_not_taken_for_an_orins(tmp_path: Path) -> None:
    write_machine(tmp_path, JETSON_ORIN | {"proc/device-tree/model": "NVIDIA Jetson Xavier NX\0"})
    power = read(tmp_path).power
    assert power.under_voltage_since_boot is None
    assert power.causes == ("OC3 event (37 times since boot)",)


def test_a_pc_is_as_warm_as_its_processor(tmp_path: Path) -> None:
    found = read(write_machine(tmp_path, PC))
    assert found.temperature_c == 57.0
    assert found.power.throttled is False
    assert board(tmp_path) is None


def test_what_cannot_be_read_is_absent(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.temperature_c, found.cpu_mhz, found.cpu_max_mhz) == (None, None, None)
    assert (found.power.throttled, found.power.under_voltage) == (None, None)
    assert (found.power.throttled_since_boot, found.power.under_voltage_since_boot) == (None, None)


@pytest.mark.parametrize("text", ["", "\n", "N/A\n", "48.3\n", "999999\n", "-999999\n", "\xff\xfe"])
def test_nonsense_in_a_file_is_no_temperature(tmp_path: Path, text: str) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    write_machine(tmp_path, {"sys/class/thermal/thermal_zone0/type": "cpu-thermal\n"})
    (zone / "temp").write_text(text, encoding="latin-1")
    assert temperature_c(tmp_path) is None


def test_a_directory_in_place_of_a_file_is_no_value(tmp_path: Path) -> None:
    (tmp_path / "temp").mkdir()
    assert read_int(tmp_path / "temp") is None
    (tmp_path / "sys/class/thermal/cooling_device0").mkdir(parents=True)
    assert is_capped(tmp_path) is None


def test_a_freezing_board_is_below_zero_and_zero_is_a_temperature(tmp_path: Path) -> None:
    write_machine(tmp_path, PI_4)
    for milli, celsius in (("0\n", 0.0), ("-5500\n", -5.5)):
        (tmp_path / "sys/class/thermal/thermal_zone0/temp").write_text(milli)
        assert temperature_c(tmp_path) == celsius


def test_a_firmware_that_hangs_costs_its_time_out_and_nothing_else(tmp_path: Path) -> None:
    write_machine(tmp_path, PI_4)
    write_vcgencmd(tmp_path, script="#!/bin/sh\nexec sleep 60\n")
    with Platform(tmp_path, timeout_s=0.3) as platform:
        started = time.monotonic()
        found = platform.read()
        assert 0.25 < time.monotonic() - started < 5
    assert found.temperature_c == 48.312
    assert found.power.throttled is None
    assert found.power.under_voltage is False, "the kernel answers in its place"
