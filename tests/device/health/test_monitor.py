"""The state of the machine in each row: what it says, when it looks again, and what it costs."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest
from recorded_machines import PI_4, write_machine, write_vcgencmd

from skin_edge.camera.drawing import draw
from skin_edge.frame import Frame
from skin_edge.health.clock import ClockReport
from skin_edge.health.monitor import MachineMonitor, created_s
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import Machine, utc_timestamp
from skin_edge.session import Session


class Wall:
    """A wall clock that is set by hand."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def said(state: str) -> ClockReport:
    return ClockReport(state, "as the test says")  # type: ignore[arg-type]


def test_a_row_tells_how_the_machine_was(tmp_path: Path) -> None:
    root = write_machine(tmp_path / "root", PI_4)
    write_vcgencmd(root, throttled="0x50005")
    with (
        ResultsLog(tmp_path / "state") as log,
        MachineMonitor(root=root, clock=lambda: said("rtc")) as machine,
    ):
        session = Session(
            Classifier.load(default_bundle_path(), trusted=True), keeping=Keeping(log), machine=machine
        )
        session.process(Frame(draw(0, 0).pixels, name="a", source="test"))
        (row,) = log.list()
    assert row.machine == Machine(temperature_c=48.312, throttled=True, under_voltage=True, clock="rtc")


def test_readings_are_taken_anew_after_the_period_and_not_before(tmp_path: Path) -> None:
    root = write_machine(tmp_path, PI_4)
    with MachineMonitor(root=root, period_s=0.2) as machine:
        first = machine()
        (root / "sys/class/thermal/thermal_zone0/temp").write_text("70000\n")
        assert machine() is first
        time.sleep(0.25)
        assert machine().temperature_c == 70.0


def test_it_costs_a_frame_next_to_nothing_with_vcgencmd_in_use(tmp_path: Path) -> None:
    root = write_machine(tmp_path, PI_4)
    write_vcgencmd(root)
    with MachineMonitor(root=root) as machine:
        machine()
        costs = []
        for _ in range(9):
            started = time.perf_counter()
            for _ in range(2000):
                machine()
            costs.append((time.perf_counter() - started) / 2000)
    assert statistics.median(costs) < 20e-6


def test_a_clock_behind_the_newest_row_is_not_set(tmp_path: Path) -> None:
    wall = Wall(1000.0)
    with MachineMonitor(2000.0, root=tmp_path, clock=lambda: said("rtc"), wall=wall) as machine:
        assert machine().clock == "unset"
        wall.now_s = 2001.0
    with MachineMonitor(2000.0, root=tmp_path, clock=lambda: said("rtc"), wall=wall) as machine:
        assert machine().clock == "rtc"


def test_a_jump_backwards_is_seen_at_once_and_not_only_after_the_period(tmp_path: Path) -> None:
    wall = Wall(5000.0)
    for state in ("rtc", "unknown"):
        wall.now_s = 5000.0
        with MachineMonitor(None, root=tmp_path, clock=lambda s=state: said(s), wall=wall) as machine:
            assert machine().clock == state
            wall.now_s = 4000.0
            assert machine().clock == "unset"


def test_ntp_steps_back_and_is_believed(tmp_path: Path) -> None:
    wall = Wall(5000.0)
    with MachineMonitor(9000.0, root=tmp_path, clock=lambda: said("synchronised"), wall=wall) as machine:
        assert machine().clock == "synchronised"


def test_once_synchronised_a_clock_stays_so_without_network(tmp_path: Path) -> None:
    states = iter(["synchronised", "unset", "unset"])
    wall = Wall(5000.0)
    monitor = MachineMonitor(root=tmp_path, period_s=0.0, clock=lambda: said(next(states)), wall=wall)
    with monitor as machine:
        assert machine().clock == "synchronised"
        assert machine().clock == "synchronised"
        wall.now_s = 1000.0
        assert machine().clock == "unset", "but not when it jumps back"


def test_a_monitor_for_a_log_knows_its_newest_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ResultsLog(tmp_path) as log:
        session = Session(Classifier.load(default_bundle_path(), trusted=True), keeping=Keeping(log))
        ahead = time.time() + 86_400
        session.process(Frame(draw(0, 0).pixels, name="a", source="test", wall_time_s=ahead))
        monkeypatch.setattr("skin_edge.health.monitor.read_clock", lambda root: said("rtc"))
        with MachineMonitor.for_log(log) as machine:
            assert machine().clock == "unset"


def test_the_time_of_a_row_is_read_back() -> None:
    assert created_s(utc_timestamp(1_800_000_000.25)) == 1_800_000_000.25
