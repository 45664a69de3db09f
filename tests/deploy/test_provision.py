"""A bare device becomes a kiosk, an older one is upgraded; cut anywhere, the same command again finishes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cutting import Cutter, interrupt_upload, wait_until
from loopback import tree
from pi import OWN, Pi
from workstation import Workstation

MakePi = Callable[..., Pi]
Releases = Callable[..., Path]
#: An installation of a release makes an environment first.
PATIENCE_S = 60.0


def everything(device: Pi) -> dict[str, str]:
    return {path: tree(device.at(path)) for path in OWN}


@pytest.fixture
def behind(station: Workstation) -> Iterator[Callable[..., tuple[str, Cutter]]]:
    """A network that fails in front of a device: its target, and the network."""
    made: list[Cutter] = []

    def make(device: Pi, left: int | None, **options: bool) -> tuple[str, Cutter]:
        one = Cutter(device.port, left, **options)
        made.append(one)
        with station.known_hosts.open("a") as stream:
            stream.write(device.known_hosts_line.replace(f":{device.port} ", f":{one.port} "))
        return f"{device.user}@127.0.0.1:{one.port}", one

    yield make
    for one in made:
        one.close()


def test_from_bare_to_a_kiosk_then_unchanged_then_upgraded(
    station: Workstation, make_pi: MakePi, releases: Releases, tmp_path: Path
) -> None:
    pi = make_pi()
    settings = tmp_path / "kiosk.yaml"
    settings.write_text("model: {threads: 1}\n")
    first, second = releases("1.0.0"), releases("1.1.0")
    (said,) = station.json(pi.target, "--provision", "--release", first, "--device-config", settings)
    assert said["status"] == "done", said
    assert said["release"]["before"] is None
    assert said["release"]["after"] == said["release"]["identity"] == pi.release()
    assert said["release"]["answer"]["activated"] is True
    assert (said["before"], said["after"], said["bundle"]) == (None, None, None)
    assert said["uploaded_bytes"] == first.stat().st_size
    assert [line.split()[2] for line in pi.told()] == ["install", "wait"]
    assert pi.uploads() == []
    assert pi.connections() == 1
    config = pi.at("/etc/skin-edge/config.yaml")
    assert config.read_text() == settings.read_text()
    assert (config.stat().st_uid, config.stat().st_mode & 0o777) == (0, 0o644)
    assert not pi.at("/etc/sudoers.d/skin-edge-deploy").exists()

    before = everything(pi)
    (said,) = station.json(pi.target, "--provision", "--release", first)
    assert (said["status"], said["message"]) == ("unchanged", "runs this very release")
    assert everything(pi) == before

    settings.write_text("model: {threads: 2}\n")
    done = station.deploy(pi.target, "--provision", "--release", second, "--device-config", settings)
    assert done.returncode == 0, done
    assert f"{pi.target}: done, /etc/skin-edge/config.yaml of the host is kept" in done.stderr
    assert config.read_text() == "model: {threads: 1}\n"
    assert str(pi.release()).startswith("1.1.0-")
    assert "1.0.0-" in done.stdout
    # The installed code did it, which is trusted; what was before is there to go back to.
    assert len(list(pi.at("/opt/skin-edge/releases").iterdir())) == 2
    assert pi.at("/opt/skin-edge/previous").readlink().name.startswith("1.0.0-")


def test_a_bundle_goes_after_the_release_over_the_same_connection(
    station: Workstation, make_pi: MakePi, releases: Releases, better: Path
) -> None:
    pi = make_pi(user="pi", sudo="pi ALL=(ALL) NOPASSWD: ALL")
    (said,) = station.json(pi.target, "--provision", "--release", releases(), "--bundle", better)
    assert said["status"] == "done", said
    assert said["after"] == pi.current() == "ham-student-9.0.0"
    assert said["facts"]["owner"] == "skin-edge"
    assert pi.connections() == 1
    assert pi.uploads() == []
    (again,) = station.json(pi.target, "--provision", "--release", releases(), "--bundle", better)
    assert again["status"] == "unchanged", again
    (other,) = station.json(pi.target, "--provision", "--release", releases("1.1.0"))
    assert (other["before"], other["after"]) == ("ham-student-9.0.0", "ham-student-9.0.0")


def test_a_dry_run_shows_facts_and_steps_and_changes_nothing(
    station: Workstation, make_pi: MakePi, releases: Releases, better: Path, tmp_path: Path
) -> None:
    pi = make_pi()
    settings = tmp_path / "kiosk.yaml"
    settings.write_text("{}\n")
    before = everything(pi)
    done = station.deploy(
        pi.target, "--provision", "--release", releases(), "--bundle", better, "--device-config", settings,
        "--dry-run",
    )  # fmt: skip
    assert done.returncode == 0, done
    for part in (
        "releases   none", "write /etc/skin-edge/config.yaml", "upload 1.0.0-", "check their SHA-256 there",
        "/usr/bin/python3 UPLOADED install --json --wait 900", "then bring it to ham-student-9.0.0",
        "nothing was changed",
    ):  # fmt: skip
        assert part in done.stdout
    assert everything(pi) == before


def test_one_that_does_not_classify_is_taken_back_and_its_reason_comes_back(
    station: Workstation, make_pi: MakePi, releases: Releases
) -> None:
    pi = make_pi()
    assert station.deploy(pi.target, "--provision", "--release", releases()).returncode == 0
    before = pi.release()
    (pi.at("/opt") / "ill-1.1.0").touch()
    (said,) = station.json(pi.target, "--provision", "--release", releases("1.1.0"))
    assert said["status"] == "failed"
    assert "no frame was classified" in said["error"]["message"]
    assert pi.release() == before == said["release"]["after"]
    assert pi.uploads() == []


def test_an_upload_that_was_cut_is_gone_on_with(
    station: Workstation, make_pi: MakePi, releases: Releases, behind: Callable[..., tuple[str, Cutter]]
) -> None:
    pi, release = make_pi(), releases()
    size = release.stat().st_size
    target, _ = behind(pi, size // 2)
    (said,) = station.json(target, "--provision", "--release", release)
    assert said["error"]["code"] == "connection-lost"
    (left,) = pi.uploads()
    assert left.endswith(".part")
    (said,) = station.json(pi.target, "--provision", "--release", release, "--dry-run")
    assert "are there" in said["steps"][0]
    (said,) = station.json(pi.target, "--provision", "--release", release)
    assert said["status"] == "done", said
    assert said["resumed_bytes"] > size // 4
    assert said["uploaded_bytes"] + said["resumed_bytes"] == size
    assert pi.uploads() == []


def test_the_connection_lost_while_it_installs_it_goes_on_there_and_again_finds_out(
    station: Workstation, make_pi: MakePi, releases: Releases, behind: Callable[..., tuple[str, Cutter]]
) -> None:
    pi, release = make_pi(), releases()
    (pi.at("/opt") / "slow").touch()
    target, network = behind(pi, None)
    said: list[dict[str, Any]] = []
    run = threading.Thread(
        target=lambda: said.extend(station.json(target, "--provision", "--release", release))
    )
    run.start()
    wait_until(lambda: any(" wait" in line for line in pi.told()), PATIENCE_S)
    network.close()
    run.join(60)
    assert said[0]["error"]["code"] == "connection-lost"
    assert "goes on there by itself" in said[0]["message"]
    again: list[dict[str, Any]] = []
    # Begun before that has ended, it waits for it.
    run = threading.Thread(
        target=lambda: again.extend(station.json(pi.target, "--provision", "--release", release))
    )
    run.start()
    time.sleep(1.0)
    (pi.at("/opt") / "slow").unlink()
    run.join(120)
    assert again[0]["status"] in ("done", "unchanged"), again
    assert pi.release() == again[0]["release"]["identity"]
    wait_until(lambda: pi.uploads() == [], PATIENCE_S)
    (last,) = station.json(pi.target, "--provision", "--release", release)
    assert last["status"] == "unchanged"


def test_ctrl_c_leaves_the_upload_for_the_next_time(
    station: Workstation,
    make_pi: MakePi,
    releases: Releases,
    behind: Callable[..., tuple[str, Cutter]],
    cli_script: str,
    cli_env: dict[str, str],
) -> None:
    pi, release = make_pi(), releases()
    target, stuck = behind(pi, release.stat().st_size // 2, silent=True)
    command = [cli_script, "deploy", target, "--provision", "--release", str(release)]
    interrupt_upload(command, cli_env, stuck, timeout_s=PATIENCE_S)
    assert pi.release() is None
    assert [name.rpartition(".")[2] for name in pi.uploads()] == ["part"]


def test_what_cannot_be_done_is_said_before_anything_is_sent(
    station: Workstation, make_pi: MakePi, releases: Releases
) -> None:
    pi = make_pi(python="3 9 64 glibc 2.31")
    (said,) = station.json(pi.target, "--provision", "--release", releases())
    assert said["error"]["code"] == "no-release"
    assert "Python 3.9" in said["error"]["message"]
    assert "skin-edge wheelhouse --target" in said["error"]["message"]
    (said,) = station.json(pi.target, "--provision")
    assert said["error"]["code"] == "no-release"
    assert "no release is gathered for Debian" in said["error"]["message"]
    unbooted = make_pi("unbooted", systemd=False)
    (said,) = station.json(unbooted.target, "--provision", "--release", releases())
    assert said["error"]["code"] == "no-systemd"
    assert pi.uploads() == unbooted.uploads() == []


def test_an_altered_release_touches_no_host(
    station: Workstation, make_pi: MakePi, releases: Releases, tmp_path: Path
) -> None:
    pi = make_pi()
    data = bytearray(releases().read_bytes())
    data[len(data) // 2] ^= 1
    altered = tmp_path / "altered.skinrelease"
    altered.write_bytes(data)
    done = station.deploy(pi.target, "--provision", "--release", altered)
    assert done.returncode == 6
    assert "copy it again" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert pi.connections() == 0


def test_hosts_with_different_pythons_take_different_releases(
    station: Workstation, make_pi: MakePi, releases: Releases, tmp_path: Path
) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    old = {"python": "3.9", "name": "old"}
    for release in (releases(), releases(**old), releases(python="3.8", name="older")):
        (folder / release.name).symlink_to(release)
    hosts = [make_pi("a"), make_pi("b", python="3 9 64 glibc 2.41"), make_pi("c", python="3 7 64 glibc 2.41")]
    said = station.json(*(host.target for host in hosts), "--provision", "--release", folder, "--dry-run")
    found = {one["target"]: one for one in said}
    here, other, none = (found[host.target] for host in hosts)
    assert here["release"]["identity"] in releases().name
    assert other["release"]["identity"] in releases(**old).name
    assert none["error"]["code"] == "no-release"


def test_a_canary_that_fails_keeps_the_others_as_they_are(
    station: Workstation, make_pi: MakePi, releases: Releases
) -> None:
    ill, other = make_pi("ill"), make_pi("other")
    (ill.at("/opt") / "ill-1.0.0").touch()
    said = station.json(ill.target, other.target, "--provision", "--release", releases(), "--canary", 1)
    assert [one["status"] for one in said] == ["failed", "not-tried"]
    assert other.connections() == 0
    assert ill.release() is None


def test_no_room_is_said_before_anything_is_sent(
    station: Workstation, make_pi: MakePi, releases: Releases
) -> None:
    pi = make_pi(room_mb=64)
    (said,) = station.json(pi.target, "--provision", "--release", releases())
    assert said["error"]["code"] == "no-space"
    assert "67 MB are free for /opt/skin-edge there" in said["error"]["message"]
    assert pi.uploads() == []


def test_options_that_make_no_sense_touch_no_host(
    station: Workstation, make_pi: MakePi, releases: Releases, tmp_path: Path
) -> None:
    pi = make_pi()
    (tmp_path / "wrong.yaml").write_text("model: {threads: many}\n")
    (tmp_path / "nobody").write_text("# nobody\n")
    (tmp_path / "garbled").write_text("clinic ssh-ed25519 !!!\n")
    for args, why in (
        (("--release", releases()), "goes with --provision"),
        (("--provision", "--release", tmp_path / "none.skinrelease"), "cannot be read"),
        (("--provision", "--release", tmp_path), "no *.skinrelease file"),
        (("--provision", "--device-config", tmp_path / "wrong.yaml"), "model.threads"),
        (("--provision", "--allowed-signers", tmp_path / "nobody"), "names nobody"),
        (("--provision", "--allowed-signers", tmp_path / "garbled"), "line 1"),
    ):
        done = station.deploy(pi.target, *args)
        assert done.returncode == 2, done
        assert why in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert pi.connections() == 0
