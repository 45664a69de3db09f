"""The role brings a model to a fleet with the device's own command, a batch at a time."""

from __future__ import annotations

from pathlib import Path

from fleet import Fleet

NAMES = ("one", "two", "three", "four")
BEFORE_AND_AFTER = "-the shipped model\n+ham-student-9.0.0"


def test_four_run_the_model_and_the_second_time_nothing_changes(fleet: Fleet, better: Path) -> None:
    before = {name: fleet.tree(name) for name in NAMES}
    checked = fleet.play(*NAMES, args=["--check", "--diff"], bundle=str(better))
    assert checked.status == 0, checked.said
    assert checked.recap == dict.fromkeys(NAMES, (1, 0, 0))
    assert checked.said.count(BEFORE_AND_AFTER) == 4
    assert {name: fleet.tree(name) for name in NAMES} == before

    first = fleet.play(*NAMES, args=["--diff"], bundle=str(better))
    assert first.status == 0, first.said
    assert first.recap == dict.fromkeys(NAMES, (1, 0, 0))
    assert first.said.count(BEFORE_AND_AFTER) == 4
    assert [fleet.hosts[name].current() for name in NAMES] == ["ham-student-9.0.0"] * 4
    assert not [left for name in NAMES for left in (fleet.hosts[name].root / "uploads").rglob("ansible-*")]

    before = {name: fleet.tree(name) for name in NAMES}
    second = fleet.play(*NAMES, bundle=str(better))
    assert second.status == 0, second.said
    assert second.recap == dict.fromkeys(NAMES, (0, 0, 0))
    assert {name: fleet.tree(name) for name in NAMES} == before


def refuse_what_is_not_signed(fleet: Fleet, name: str) -> None:
    """Have a host ask for a signature that nobody can make."""
    signers = fleet.hosts[name].root / "etc" / "allowed_signers"
    signers.parent.mkdir(exist_ok=True)
    signers.write_text(f"nobody {fleet.key.with_suffix('.pub').read_text()}")
    fleet.hosts[name].config.write_text(f"model: {{allowed_signers: {signers}}}\n")


def test_a_canary_whose_golden_vectors_disagree_keeps_the_others_as_they_are(
    fleet: Fleet, disagreeing: Path
) -> None:
    before = {name: fleet.tree(name) for name in NAMES[1:]}
    met = {name: fleet.hosts[name].connections() for name in NAMES[1:]}
    done = fleet.play(*NAMES, bundle=str(disagreeing))
    assert done.status != 0
    assert done.recap == {"one": (0, 0, 1)}
    assert "golden vectors: the logit differs by 1" in done.said
    assert "code: bundle" in done.said
    assert "Traceback" not in done.said
    assert fleet.hosts["one"].current() is None
    assert not list((fleet.hosts["one"].root / "uploads").rglob("ansible-*"))
    assert {name: fleet.tree(name) for name in NAMES[1:]} == before
    assert {name: fleet.hosts[name].connections() for name in NAMES[1:]} == met


def test_too_many_failures_in_a_batch_keep_the_next_one_as_it_is(fleet: Fleet, better: Path) -> None:
    refuse_what_is_not_signed(fleet, "two")
    before = {name: fleet.tree(name) for name in NAMES[2:]}
    done = fleet.play(*NAMES, serial=2, bundle=str(better))
    assert done.status != 0
    assert set(done.recap) == {"one", "two"}
    assert "code: signature" in done.said
    assert {name: fleet.tree(name) for name in NAMES[2:]} == before
    # The neighbour in that batch is whole, and nothing is left lying about.
    assert fleet.hosts["one"].current() == "ham-student-9.0.0"
    assert fleet.hosts["two"].current() is None
    assert not [left for name in NAMES for left in (fleet.hosts[name].root / "uploads").rglob("ansible-*")]


def test_within_the_limit_failures_and_a_host_that_is_down_leave_the_others_alone(
    fleet: Fleet, better: Path
) -> None:
    refuse_what_is_not_signed(fleet, "one")
    fleet.hosts["three"].stop()
    try:
        done = fleet.play(
            *NAMES, serial=2, args=["-e", "skin_edge_max_fail_percentage=50"], bundle=str(better)
        )
    finally:
        fleet.hosts["three"].start()
    assert done.status != 0
    assert done.recap == {"one": (0, 0, 1), "two": (1, 0, 0), "three": (0, 1, 0), "four": (1, 0, 0)}
    assert [fleet.hosts[name].current() for name in NAMES] == [None, "ham-student-9.0.0"] * 2


def test_settings_go_where_there_are_none_and_a_host_that_is_not_well_fails(
    fleet: Fleet, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("capture: {source: demo}\n")
    own = fleet.hosts["two"].root / "etc" / "config.yaml"
    own.parent.mkdir()
    own.write_text("# its own\n")
    fleet.hosts["two"].state.mkdir(mode=0o700)
    (fleet.hosts["two"].state / "results.sqlite3").write_bytes(b"damaged " * 1000)
    done = fleet.play("one", "two", serial=2, config=str(tmp_path / "config.yaml"), doctor_checks=["log"])
    assert (fleet.hosts["one"].root / "etc" / "config.yaml").read_text() == "capture: {source: demo}\n"
    assert own.read_text() == "# its own\n"
    assert done.status != 0
    assert done.recap == {"one": (2, 0, 0), "two": (0, 0, 1)}
    assert "code: not-healthy" in done.said
    assert "doctor: log: " in done.said


def test_a_variable_that_makes_no_sense_is_refused_before_a_host_is_looked_at(fleet: Fleet) -> None:
    met = fleet.hosts["one"].connections()
    done = fleet.play("one", lock_wait_s="soon")
    assert done.recap == {"one": (0, 0, 1)}
    assert "skin_edge_lock_wait_s" in done.said
    assert fleet.hosts["one"].connections() == met
