"""Many hosts: one that fails leaves the others alone, canaries go first, and it stops where it is told to."""

from __future__ import annotations

from pathlib import Path

from loopback import Host
from workstation import MakeHost, Workstation


def statuses(said: list[dict[str, object]]) -> dict[object, object]:
    return {one["target"]: one["status"] for one in said}


def test_one_that_is_down_leaves_the_others_alone(
    station: Workstation, make_host: MakeHost, better: Path, tmp_path: Path
) -> None:
    up, down, other = make_host("up"), make_host("down", start=False), make_host("other")
    listed = tmp_path / "clinics.txt"
    listed.write_text(f"# the clinics\n{up.target}\n{down.target}   # in repair\n\n")
    done = station.deploy(f"@{listed}", other.target, "--bundle", better)
    assert done.returncode == 6
    assert up.current() == other.current() == "ham-student-9.0.0"
    assert f"{down.target}: cannot be reached" in done.stdout
    assert [host.connections() for host in (up, other)] == [1, 1]


def test_a_canary_that_fails_keeps_the_others_as_they_are(
    station: Workstation, make_host: MakeHost, disagreeing: Path
) -> None:
    hosts = [make_host(f"h{number}") for number in range(3)]
    said = station.json(*(host.target for host in hosts), "--bundle", disagreeing, "--canary", 1)
    assert statuses(said) == dict(
        zip((host.target for host in hosts), ("failed", "not-tried", "not-tried"), strict=True)
    )
    assert [host.connections() for host in hosts] == [1, 0, 0]
    done = station.deploy(*(host.target for host in hosts), "--bundle", disagreeing, "--canary", 1)
    assert done.returncode == 6
    assert "not tried: 2, because a canary failed" in done.stdout


def test_canaries_that_are_well_let_the_others_follow(
    station: Workstation, make_host: MakeHost, better: Path
) -> None:
    hosts = [make_host(f"h{number}") for number in range(3)]
    done = station.deploy(*(host.target for host in hosts), "--bundle", better, "--canary", 1)
    assert done.returncode == 0, done
    assert [host.current() for host in hosts] == ["ham-student-9.0.0"] * 3


def test_it_stops_after_so_many_failures(station: Workstation, make_host: MakeHost, better: Path) -> None:
    down = [make_host(f"down{number}", start=False) for number in range(4)]
    up = make_host("up")
    said = station.json(
        *(host.target for host in [*down, up]), "--bundle", better, "--max-failures", 2, "--concurrency", 1
    )
    assert [one["status"] for one in said] == ["failed", "failed", "not-tried", "not-tried", "not-tried"]
    assert up.connections() == 0


def test_a_host_named_twice_is_pushed_to_once(station: Workstation, host: Host) -> None:
    said = station.json(host.target, host.target, "--dry-run")
    assert len(said) == 1
    assert host.connections() == 1
