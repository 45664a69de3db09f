"""Clock, temperature, throttling and power by what machines tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from recorded_machines import JETSON_ORIN, PI_4, write_machine, write_vcgencmd

from skin_edge.camera.drawing import draw
from skin_edge.frame import Frame
from skin_edge.health import clock
from skin_edge.health.checks.check import Context
from skin_edge.health.checks.machine import check_clock, check_power, check_temperature, check_throttling
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.session import Session

MakeContext = Callable[..., Context]


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    root = write_machine(tmp_path / "pi", PI_4)
    write_vcgencmd(root)
    return root


def add_row(state: Path, at_s: float) -> None:
    with ResultsLog(state) as log:
        session = Session(Classifier.load(default_bundle_path(), trusted=True), keeping=Keeping(log))
        session.process(Frame(draw(0, 0).pixels, name="a", source="test", wall_time_s=at_s))


def test_a_synchronised_clock_is_ok(make_context: MakeContext, pi: Path) -> None:
    write_machine(pi, {"run/systemd/timesync/synchronized": ""})
    assert check_clock(make_context(root=pi)).status == "ok"


def test_a_clock_that_nothing_has_set_is_a_warning(
    make_context: MakeContext, pi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock.read_clock, "__kwdefaults__", {"now_s": None, "synchronised": lambda: False})
    finding = check_clock(make_context(root=pi))
    assert (finding.status, finding.data["state"]) == ("warn", "unset")


def test_a_clock_behind_the_log_is_a_warning_even_if_it_is_right_now(
    make_context: MakeContext, pi: Path, tmp_path: Path
) -> None:
    write_machine(pi, {"run/systemd/timesync/synchronized": ""})
    add_row(tmp_path / "state", time.time() + 3600)
    finding = check_clock(make_context(root=pi))
    assert (finding.status, "behind the newest row" in finding.message) == ("warn", True)
    add_row(tmp_path / "state", time.time() - 1)
    assert check_clock(make_context(root=pi)).status == "ok"


def test_a_clock_before_the_release_fails(
    make_context: MakeContext, pi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skin_edge.health.clock.time.time", lambda: 47.0)
    finding = check_clock(make_context(root=pi))
    assert (finding.status, "1970-01-01" in finding.message) == ("fail", True)


@pytest.mark.parametrize(
    ("milli", "status"), [(48312, "ok"), (75000, "ok"), (75001, "warn"), (85000, "warn"), (85001, "fail")]
)
def test_temperature(make_context: MakeContext, pi: Path, milli: int, status: str) -> None:
    (pi / "sys/class/thermal/thermal_zone0/temp").write_text(f"{milli}\n")
    finding = check_temperature(make_context(root=pi))
    assert (finding.status, finding.data["temperature_c"]) == (status, milli / 1000)


@pytest.mark.parametrize(
    ("bits", "throttling", "power"),
    [
        ("0x0", "ok", "ok"),
        ("0x50000", "warn", "warn"),
        ("0x50005", "fail", "fail"),
        ("0x80008", "warn", "ok"),
        ("0x10000", "ok", "warn"),
        ("0x10001", "ok", "fail"),
    ],
)
def test_throttling_and_power(
    make_context: MakeContext, pi: Path, bits: str, throttling: str, power: str
) -> None:
    write_vcgencmd(pi, throttled=bits)
    context = make_context(root=pi)
    assert (check_throttling(context).status, check_power(context).status) == (throttling, power)
    assert "1500 of 1800 MHz" in check_throttling(context).message


def test_an_orins_counters_are_told(make_context: MakeContext, tmp_path: Path) -> None:
    context = make_context(root=write_machine(tmp_path / "orin", JETSON_ORIN))
    finding = check_throttling(context)
    assert (finding.status, "instantaneous over-current (37 times" in finding.message) == ("warn", True)
    assert check_power(context).status == "ok"


def test_a_machine_that_tells_nothing_is_skipped(make_context: MakeContext) -> None:
    context = make_context()
    for check in (check_temperature, check_throttling, check_power, check_clock):
        assert check(context).status == "skip"
