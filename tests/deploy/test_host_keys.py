"""known_hosts is enforced: unknown keys are shown and refused unless accepted, changed ones always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loopback import Host, fingerprint, keygen
from workstation import MakeHost, Workstation


def shown(host: Host) -> str:
    return fingerprint(host.key.with_suffix(".pub"))


def code(said: dict[str, Any]) -> object:
    return said["error"]["code"]


def test_an_unknown_key_is_shown_and_refused(station: Workstation, make_host: MakeHost) -> None:
    host = make_host(known=False)
    done = station.deploy(host.target, "--dry-run")
    assert done.returncode == 6
    assert shown(host) in done.stdout
    assert "--accept-new-host-key" in done.stdout
    assert not station.known_hosts.exists()
    assert "Accepted publickey" not in host.log()


def test_an_accepted_key_is_remembered_once(station: Workstation, make_host: MakeHost) -> None:
    host = make_host(known=False)
    station.known_hosts.write_text("# mine, without a line end at the end")
    nowhere = ("--skin-edge", "/nowhere/skin-edge", "--accept-new-host-key")
    for _ in range(2):
        (said,) = station.json(host.target, *nowhere)
        assert code(said) == "no-skin-edge"
    assert (
        station.known_hosts.read_text() == f"# mine, without a line end at the end\n{host.known_hosts_line}"
    )
    (said,) = station.json(host.target, "--dry-run")
    assert said["status"] == "planned"
    assert said["accepted_host_key"] is None


def test_a_dry_run_remembers_no_key(station: Workstation, make_host: MakeHost) -> None:
    host = make_host(known=False)
    (said,) = station.json(host.target, "--dry-run", "--accept-new-host-key")
    assert said["status"] == "planned"
    assert said["accepted_host_key"] == shown(host)
    assert not station.known_hosts.exists()


def test_a_changed_key_is_refused_whatever_is_accepted(
    station: Workstation, host: Host, tmp_path: Path
) -> None:
    kind, data = keygen(tmp_path / "former").with_suffix(".pub").read_text().split()[:2]
    former = f"[{host.address}]:{host.port} {kind} {data}\n"
    station.known_hosts.write_text(former)
    (said,) = station.json(host.target, "--accept-new-host-key")
    assert code(said) == "host-key-changed"
    assert "CHANGED" in str(said["message"])
    assert shown(host) in str(said["message"])
    assert station.known_hosts.read_text() == former
    assert "Accepted publickey" not in host.log()


def test_a_key_of_another_kind_is_a_changed_key(station: Workstation, make_host: MakeHost) -> None:
    import asyncssh

    host = make_host(known=False)
    ecdsa = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key("openssh").decode()
    station.known_hosts.write_text(f"[{host.address}]:{host.port} {ecdsa}")
    (said,) = station.json(host.target, "--accept-new-host-key")
    assert code(said) == "host-key-changed"


def test_a_revoked_key_is_refused(station: Workstation, make_host: MakeHost) -> None:
    host = make_host(known=False)
    station.known_hosts.write_text(f"@revoked {host.known_hosts_line}")
    (said,) = station.json(host.target, "--accept-new-host-key")
    assert said["status"] == "failed"
    assert "Accepted publickey" not in host.log()


def test_ssh_config_cannot_switch_the_check_off(station: Workstation, make_host: MakeHost) -> None:
    host = make_host(known=False)
    config = station.home / ".ssh" / "config"
    for line in ("UserKnownHostsFile none", "UserKnownHostsFile /dev/null", "StrictHostKeyChecking no"):
        config.write_text(f"Host *\n  {line}\n")
        (said,) = station.json(host.target, "--dry-run")
        assert code(said) == "host-key-unknown", line


def test_a_hashed_entry_and_a_file_of_ssh_config_are_read(station: Workstation, make_host: MakeHost) -> None:
    import subprocess

    host = make_host(known=False)
    elsewhere = station.home / "elsewhere"
    elsewhere.write_text(host.known_hosts_line)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", elsewhere], check=True, capture_output=True)
    assert host.address not in elsewhere.read_text()
    (station.home / ".ssh" / "config").write_text(f"Host *\n  UserKnownHostsFile {elsewhere}\n")
    (said,) = station.json(host.target, "--dry-run")
    assert said["status"] == "planned"


def test_a_damaged_known_hosts_trusts_nobody(station: Workstation, host: Host) -> None:
    station.known_hosts.write_text("garbage\n")
    (said,) = station.json(host.target, "--dry-run")
    assert code(said) == "known-hosts"
