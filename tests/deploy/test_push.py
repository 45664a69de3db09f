"""A bundle comes to a device whole and is used there, or the device stays as it was and says why."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import BIN, Host, fingerprint, keygen, tree
from workstation import MakeBundle, Workstation

from skin_edge.model.bundle import open_bundle


def test_a_better_model_is_in_use_afterwards(station: Workstation, host: Host, better: Path) -> None:
    done = station.deploy(host.target, "--bundle", better)
    assert done.returncode == 0, done
    assert host.current() == "ham-student-9.0.0"
    assert open_bundle(host.state / "models" / "current").manifest == open_bundle(better).manifest
    assert host.uploads() == []
    assert host.connections() == 1
    assert "ham-student-9.0.0 on 1 host" in done.stdout
    assert f"{host.target}: done" in done.stderr


def test_json_says_what_was_done(station: Workstation, host: Host, better: Path) -> None:
    (said,) = station.json(host.target, "--bundle", better)
    assert said["status"] == "done"
    assert (said["before"], said["after"]) == (None, "ham-student-9.0.0")
    assert said["error"] is None
    assert said["uploaded_bytes"] == better.stat().st_size
    assert said["device"]["activated"] is True


def test_the_same_bundle_again_is_nothing_to_do(station: Workstation, host: Host, better: Path) -> None:
    assert station.deploy(host.target, "--bundle", better).returncode == 0
    before = tree(host.root / "state")
    done = station.deploy(host.target, "--bundle", better)
    assert done.returncode == 0
    assert "unchanged, runs this very bundle" in done.stderr
    assert tree(host.root / "state") == before


@pytest.mark.parametrize("older", [False, True])
def test_whether_it_is_the_same_is_asked_with_one_start_of_python_fewer(
    station: Workstation, host: Host, better: Path, older: bool
) -> None:
    assert station.deploy(host.target, "--bundle", better).returncode == 0
    calls, program = host.root / "calls", host.root / "skin-edge"
    hidden = 's/,"manifest_sha256":"[^"]*"//' if older else ""
    program.write_text(f'#!/bin/sh\necho "$*" >>{calls}\n{BIN}/skin-edge "$@" | sed \'{hidden}\'\n')
    program.chmod(0o755)
    (said,) = station.json(host.target, "--bundle", better, "--skin-edge", program)
    assert said["status"] == "unchanged"
    asked = sorted(calls.read_text().splitlines())
    assert asked == ["--version", *(["model info --json"] if older else []), "model list --json"]


def test_other_contents_under_the_same_name_are_refused(
    station: Workstation, host: Host, better: Path, make_bundle: MakeBundle
) -> None:
    assert station.deploy(host.target, "--bundle", better).returncode == 0
    other = make_bundle("9.0.0", model_card="# another\n")
    (said,) = station.json(host.target, "--bundle", other)
    assert said["error"]["code"] == "bundle-conflict"


def test_a_corrupt_bundle_touches_no_host(station: Workstation, host: Host, better: Path) -> None:
    data = bytearray(better.read_bytes())
    data[len(data) // 2] ^= 1
    better.write_bytes(data)
    done = station.deploy(host.target, "--bundle", better)
    assert done.returncode == 4
    assert done.stderr.startswith("skin-edge: bundle ")
    assert len(done.stderr.splitlines()) == 1
    assert host.connections() == 0


def test_golden_vectors_that_disagree_leave_the_old_model(
    station: Workstation, host: Host, disagreeing: Path
) -> None:
    (said,) = station.json(host.target, "--bundle", disagreeing)
    assert said["status"] == "failed"
    assert "logit" in said["error"]["message"]
    assert host.current() is None
    assert host.uploads() == []


def test_a_network_that_does_not_load_leaves_the_old_model(
    station: Workstation, host: Host, make_bundle: MakeBundle
) -> None:
    broken = make_bundle("9.0.2", model=b"no network" * 100)
    done = station.deploy(host.target, "--bundle", broken)
    assert done.returncode == 6
    assert f"{host.target}: failed" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert host.current() is None


def test_an_unsigned_one_is_refused_where_signers_are_named_and_a_signed_one_taken(
    station: Workstation, host: Host, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    signer = keygen(tmp_path / "signer")
    allowed = host.root / "allowed_signers"
    allowed.write_text(f"clinic {signer.with_suffix('.pub').read_text()}")
    host.config.write_text(f"model: {{allowed_signers: {allowed}}}\n")
    archive = make_bundle("9.0.3")
    (said,) = station.json(host.target, "--bundle", archive)
    assert said["error"]["code"] == "signature"
    assert host.current() is None
    folder = archive.with_suffix("")  # NAME-9.0.3: the folder that was packed
    folder = archive.parent / "ham-student-9.0.3"
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", signer, "-n", "skin-edge", folder / "manifest.yaml"]
    subprocess.run(command, check=True, capture_output=True)
    (said,) = station.json(host.target, "--bundle", folder)
    assert said["status"] == "done"
    assert said["device"]["signed_by"] == "clinic"


def test_dry_run_shows_facts_and_steps_and_changes_nothing(
    station: Workstation, host: Host, better: Path
) -> None:
    before = tree(host.root / "home"), tree(host.root / "config"), host.state.exists()
    done = station.deploy(host.target, "--bundle", better, "--dry-run")
    assert done.returncode == 0, done
    for part in ("skin-edge  0.1.0", str(host.state), "model install --activate", "nothing was changed"):
        assert part in done.stdout
    assert (tree(host.root / "home"), tree(host.root / "config"), host.state.exists()) == before


def test_without_a_bundle_the_one_in_use_here_goes(station: Workstation, host: Host) -> None:
    (said,) = station.json(host.target, "--dry-run")
    assert str(said["bundle"]).startswith("ham-student-")
    assert said["status"] == "planned"


def test_a_host_without_skin_edge_says_so(
    station: Workstation, make_host: Callable[..., Host], better: Path
) -> None:
    bare = make_host("bare", env={"PATH": "/usr/bin:/bin"})
    (said,) = station.json(bare.target, "--bundle", better)
    assert said["error"]["code"] == "no-skin-edge"
    assert fingerprint(bare.key.with_suffix(".pub")).startswith("SHA256:")


def test_nobody_there_is_said_in_one_line(
    station: Workstation, make_host: Callable[..., Host], better: Path
) -> None:
    down = make_host("down", start=False)
    done = station.deploy(down.target, "--bundle", better)
    assert done.returncode == 6
    assert "cannot be reached: Connection refused" in done.stdout
    assert "Traceback" not in done.stderr
