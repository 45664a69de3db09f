"""The role brings a model to a fleet with the device's own command, a batch at a time."""

from __future__ import annotations

import re
from pathlib import Path

from fleet import Fleet

NAMES = ("one", "two", "three", "four")
BEFORE_AND_AFTER = "-the shipped model\n+ham-student-9.0.0"


def test_four_run_the_model_and_the_second_time_nothing_changes(fleet: Fleet, better: Path) -> None:
    before = {name: fleet.tree(name) for name in NAMES}
    checked = fleet.play(*NAMES, args=["--check", "--diff"], bundle=str(better))
    assert checked.status == 0, checked.said
    assert checked.recap == {name: (1, 0, 0) for name in NAMES}
    assert checked.said.count(BEFORE_AND_AFTER) == 4
    assert {name: fleet.tree(name) for name in NAMES} == before

    first = fleet.play(*NAMES, args=["--diff"], bundle=str(better))
    assert first.status == 0, first.said
    assert first.recap == {name: (1, 0, 0) for name in NAMES}
    assert first.said.count(BEFORE_AND_AFTER) == 4
    assert [fleet.hosts[name].current() for name in NAMES] == ["ham-student-9.0.0"] * 4
    assert not [left for name in NAMES for left in (fleet.hosts[name].root / "uploads").rglob("ansible-*")]

    before = {name: fleet.tree(name) for name in NAMES}
    second = fleet.play(*NAMES, bundle=str(better))
    assert second.status == 0, second.said
    assert second.recap == {name: (0, 0, 0) for name in NAMES}
    assert {name: fleet.tree(name) for name in NAMES} == before
