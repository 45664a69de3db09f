"""Becoming root on a device: by sudo, by a password from the terminal, by a line that allows just this."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import keygen
from pi import PASSWORD, Pi
from workstation import MakeBundle, Sit, Workstation

pytestmark = pytest.mark.skipif(shutil.which("sudo") is None, reason="needs sudo: apt-get install sudo")

MakePi = Callable[..., Pi]
Releases = Callable[..., Path]
ANYTHING = "pi ALL=(ALL) ALL"


@pytest.fixture
def signer(tmp_path: Path) -> Path:
    """A key of the clinic that signs."""
    return keygen(tmp_path / "signer")


@pytest.fixture
def signers(tmp_path: Path, signer: Path) -> Path:
    """The file of allowed signers that names it."""
    path = tmp_path / "signers"
    path.write_text(f"clinic {signer.with_suffix('.pub').read_text()}")
    return path


def holds(folder: Path, text: str) -> list[Path]:
    """Files below a folder that hold `text`."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if text.encode() in path.read_bytes()]


def test_the_password_is_asked_for_once_where_it_may_be_used_again_and_is_nowhere_afterwards(
    sit: Sit, make_pi: MakePi, releases: Releases, better: Path
) -> None:
    hosts = [make_pi(name, user="pi", sudo=ANYTHING) for name in ("one", "two")]
    session = sit(
        *(host.target for host in hosts), "--provision", "--release", releases(), "--bundle", better
    )
    session.wait_for("Password of pi for sudo on ")
    session.type("wrong one")
    session.wait_for("Password of pi for sudo on ", 30)
    session.type(PASSWORD)
    session.wait_for("Use it for pi on the other hosts, too? (yes/no) ", 30)
    session.type("yes")
    assert session.end(200) == 0, session.said
    assert session.said.count("Password of pi for sudo") == 2
    assert PASSWORD not in session.said
    assert "wrong one" not in session.said
    for host in hosts:
        assert str(host.release()).startswith("1.0.0-")
        assert host.current() == "ham-student-9.0.0"
        assert host.connections() == 1
        assert holds(host.root, PASSWORD) == []
        assert not host.at("/etc/sudoers.d/skin-edge-deploy").exists()


def test_one_that_is_not_to_be_used_again_is_asked_for_on_each_host(
    sit: Sit, make_pi: MakePi, releases: Releases
) -> None:
    hosts = [make_pi(name, user="pi", sudo=ANYTHING) for name in ("one", "two")]
    session = sit(*(host.target for host in hosts), "--provision", "--release", releases())
    session.wait_for("Password of pi for sudo on ")
    session.type(PASSWORD)
    session.wait_for("(yes/no) ", 30)
    session.type("no")
    session.wait_for("Password of pi for sudo on ", 30)
    session.type(PASSWORD)
    assert session.end(200) == 0, session.said
    assert session.said.count("(yes/no)") == 1


def test_without_a_terminal_it_says_what_to_do(
    station: Workstation, make_pi: MakePi, releases: Releases
) -> None:
    pi = make_pi(user="pi", sudo=ANYTHING)
    done = station.deploy(pi.target, "--provision", "--release", releases(), start_new_session=True)
    assert done.returncode == 6
    assert "sudo wants the password of pi, and there is no terminal to ask at" in done.stdout
    assert pi.uploads() == []


def test_one_whom_sudo_does_not_let_is_told_so(sit: Sit, make_pi: MakePi, releases: Releases) -> None:
    pi = make_pi(user="pi", sudo="pi ALL=(ALL) /usr/bin/id")
    session = sit(pi.target, "--provision", "--release", releases())
    session.wait_for("Password of pi for sudo on ")
    session.type(PASSWORD)
    assert session.end() == 6
    assert "sudo does not let us install releases there" in session.said
    assert pi.uploads() == []


def test_the_line_for_sudo_allows_just_this_and_no_password_is_wanted_from_then_on(
    station: Workstation,
    make_pi: MakePi,
    releases: Releases,
    make_bundle: MakeBundle,
    signer: Path,
    signers: Path,
    sit: Sit,
    tmp_path: Path,
) -> None:
    pi = make_pi(user="pi", sudo=ANYTHING)
    session = sit(
        pi.target, "--provision", "--release", releases(key=signer), "--allowed-signers", signers, "--sudoers"
    )
    session.wait_for("Password of pi for sudo on ")
    session.type(PASSWORD)
    assert session.end(200) == 0, session.said
    allowed = pi.at("/etc/skin-edge/allowed_signers")
    assert allowed.read_bytes() == signers.read_bytes()
    assert (allowed.stat().st_uid, allowed.stat().st_mode & 0o777) == (0, 0o644)
    line = pi.at("/etc/sudoers.d/skin-edge-deploy")
    assert (line.stat().st_uid, line.stat().st_mode & 0o777) == (0, 0o440)
    digits = "[0-9a-f]" * 8
    model = "/usr/bin/env SKIN_EDGE_HOME=/srv/skin-edge /usr/local/bin/skin-edge model"
    upload = f"/var/tmp/skin-edge-7001/{digits}"
    assert line.read_text().splitlines() == [
        "# Written by `skin-edge deploy --provision --sudoers`.",
        "pi ALL=(root) NOPASSWD: /usr/local/bin/skin-edge release install "
        f"{upload}.skinrelease --json --wait 900",
        f"pi ALL=(skin-edge) NOPASSWD: {model} list --json, {model} info --json, "
        f"{model} install --activate --json --wait 120 {upload}.skinmodel",
    ]
    subprocess.run(["visudo", "-cf", line], check=True, capture_output=True)
    # From now on sudo lets nothing else happen, whatever it let before.
    pi.at("/etc/sudoers.d/test").unlink()

    target = (pi.target, "--provision", "--release")
    (said,) = station.json(*target, releases("1.1.0"), start_new_session=True)
    assert said["error"]["code"] == "signature"
    (said,) = station.json(*target, releases("1.1.0", key=signer), "--sudoers", start_new_session=True)
    assert said["status"] == "done", said
    assert said["release"]["answer"]["signed_by"] == "clinic"
    assert str(pi.release()).startswith("1.1.0-")
    unsigned = make_bundle("9.0.0")
    (said,) = station.json(pi.target, "--bundle", unsigned, start_new_session=True)
    assert said["error"]["code"] == "signature"
    folder = unsigned.parent / "ham-student-9.0.0"
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", signer, "-n", "skin-edge", folder / "manifest.yaml"]
    subprocess.run(command, check=True, capture_output=True)
    (said,) = station.json(pi.target, "--bundle", folder, start_new_session=True)
    assert said["status"] == "done", said
    assert pi.current() == "ham-student-9.0.0"

    install = (
        "/usr/local/bin/skin-edge",
        "release",
        "install",
        "/var/tmp/skin-edge-7001/0123abcd.skinrelease",
    )
    for words in (
        ("id",),
        ("/usr/local/bin/skin-edge", "release", "rollback"),
        (*install, "--json", "--wait", "900", "--allowed-signers", "/home/pi/mine"),
        (*install, "--allowed-signers", "/home/pi/mine", "--json", "--wait", "900"),
        (*install[:3], "/home/pi/0123abcd.skinrelease", "--json", "--wait", "900"),
        (*install[:3], "/var/tmp/skin-edge-7001/../x/0123abcd.skinrelease", "--json", "--wait", "900"),
        ("/usr/bin/python3", install[3], "install", "--json", "--wait", "900"),
    ):
        refused = pi.as_pi("sudo", "-n", *words)
        assert refused.returncode == 1, (words, refused)
        assert "password is required" in refused.stderr


def test_no_line_without_allowed_signers_that_only_root_can_change(
    station: Workstation, make_pi: MakePi, releases: Releases, signer: Path, signers: Path
) -> None:
    pi = make_pi(user="pi", sudo="pi ALL=(ALL) NOPASSWD: ALL")
    args = (pi.target, "--provision", "--release", releases(key=signer), "--sudoers")
    (said,) = station.json(*args)
    assert said["error"]["code"] == "signers"
    assert "give --allowed-signers" in said["error"]["message"]
    there = pi.at("/etc/skin-edge")
    there.mkdir(mode=0o755)
    shutil.copy(signers, there / "allowed_signers")
    (there / "allowed_signers").chmod(0o666)
    (said,) = station.json(*args)
    assert said["error"]["code"] == "signers"
    assert "others than root can change" in said["error"]["message"]
    assert pi.release() is None
    assert not pi.at("/etc/sudoers.d/skin-edge-deploy").exists()


def test_allowed_signers_are_never_replaced(
    station: Workstation, make_pi: MakePi, releases: Releases, signer: Path, signers: Path, tmp_path: Path
) -> None:
    pi = make_pi()
    there = pi.at("/etc/skin-edge")
    there.mkdir(mode=0o755)
    other = keygen(tmp_path / "other").with_suffix(".pub").read_text()
    (there / "allowed_signers").write_text(f"clinic {other}")
    args = (pi.target, "--provision", "--release", releases(key=signer), "--allowed-signers", signers)
    (said,) = station.json(*args)
    assert said["error"]["code"] == "signers"
    assert (there / "allowed_signers").read_text() == f"clinic {other}"
    assert pi.release() is None
    shutil.copy(signers, there / "allowed_signers")
    (said,) = station.json(*args)
    assert said["status"] == "done", said


def test_a_release_of_a_stranger_touches_no_host(
    station: Workstation, make_pi: MakePi, releases: Releases, signers: Path, tmp_path: Path
) -> None:
    pi = make_pi()
    stranger = keygen(tmp_path / "stranger")
    for release in (releases(), releases(key=stranger)):
        done = station.deploy(pi.target, "--provision", "--release", release, "--allowed-signers", signers)
        assert done.returncode == 6
        assert len(done.stderr.splitlines()) == 1
    assert pi.connections() == 0
