"""Who we are: keys, an agent, passphrases and passwords at the terminal only, aliases and jump hosts."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from loopback import USER, Host, keygen, tree
from workstation import MakeHost, Sit, Workstation

SECRET = "correct horse"


@pytest.fixture(params=["password", "keyboard-interactive"])
def password_server(request: pytest.FixtureRequest, tmp_path: Path, station: Workstation) -> Iterator[str]:
    """The target of a server that wants a password, in either way, and then does what it is told."""
    key = keygen(tmp_path / "password_host")

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return request.param == "password"

        def kbdint_auth_supported(self) -> bool:
            return request.param != "password"

        def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> object:
            return "", "", "", [("Password:", False)]

        def validate_kbdint_response(self, username: str, responses: list[str]) -> bool:
            return responses == [SECRET]

        def validate_password(self, username: str, password: str) -> bool:
            return password == SECRET

    async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        child = await asyncio.create_subprocess_shell(
            process.command or "", stdin=-1, stdout=-1, stderr=-1, env=env
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        process.exit(await child.wait())

    loop = asyncio.new_event_loop()
    started: list[int] = []
    ready = threading.Event()

    async def serve() -> None:
        server = await asyncssh.create_server(
            Server, "127.0.0.1", 0, server_host_keys=[str(key)], process_factory=handle, encoding=None
        )
        started.append(server.get_port())
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    kind, data = key.with_suffix(".pub").read_text().split()[:2]
    station.known_hosts.write_text(f"[127.0.0.1]:{started[0]} {kind} {data}\n")
    yield f"clinic@127.0.0.1:{started[0]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def test_a_password_is_asked_for_at_the_terminal_and_shown_nowhere(sit: Sit, password_server: str) -> None:
    session = sit(password_server, "--skin-edge", "/nowhere/skin-edge")
    session.wait_for("Password")
    session.type("wrong one")
    session.wait_for("Password")
    session.type(SECRET)
    assert session.end() == 6
    assert "skin-edge was not found there" in session.said
    assert SECRET not in session.said
    assert "wrong one" not in session.said


def test_three_wrong_passwords_are_enough(sit: Sit, password_server: str) -> None:
    session = sit(password_server)
    for _ in range(3):
        session.wait_for("Password")
        session.type("wrong one")
    assert session.end() == 6
    assert "was not let in" in session.said


def test_without_a_terminal_nothing_is_asked(station: Workstation, password_server: str) -> None:
    done = station.deploy(password_server, start_new_session=True, timeout=60)
    assert done.returncode == 6
    assert "was not let in" in done.stdout
    assert "Password" not in done.stderr


def test_ctrl_c_at_a_question_gives_the_terminal_back(sit: Sit, password_server: str) -> None:
    import termios

    session = sit(password_server)
    session.wait_for("Password")
    session.interrupt()
    assert session.end() == 130
    assert termios.tcgetattr(session.master)[3] & termios.ECHO


def test_a_passphrase_is_asked_for_once_for_all_hosts(
    sit: Sit, station: Workstation, make_host: MakeHost
) -> None:
    hosts = [make_host("one"), make_host("two")]
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", SECRET, "-f", station.key], check=True)
    session = sit(*(host.target for host in hosts), "--dry-run")
    session.wait_for(f"Passphrase for the key {station.key} (empty: leave it out): ")
    session.type("wrong one")
    session.wait_for("Passphrase for the key ")
    session.type(SECRET)
    assert session.end() == 0
    assert session.said.count("Passphrase for the key") == 2
    assert SECRET not in session.said


def test_a_locked_key_without_a_terminal_says_what_to_do(station: Workstation, host: Host) -> None:
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", SECRET, "-f", station.key], check=True)
    done = station.deploy(host.target, start_new_session=True)
    assert done.returncode == 6
    assert "ssh-add" in done.stdout


def test_an_agent_is_asked_before_anybody(station: Workstation, host: Host) -> None:
    agent = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    variables = dict(part.split("=", 1) for part in agent.replace("\n", "").split(";") if "=" in part)
    try:
        env = {**os.environ, "SSH_AUTH_SOCK": variables["SSH_AUTH_SOCK"]}
        subprocess.run(["ssh-add", "-q", station.key], check=True, env=env, capture_output=True)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", SECRET, "-f", station.key], check=True)
        done = station.deploy(
            host.target,
            "--dry-run",
            env={"SSH_AUTH_SOCK": variables["SSH_AUTH_SOCK"]},
            start_new_session=True,
        )
        assert done.returncode == 0, done
    finally:
        os.kill(int(variables["SSH_AGENT_PID"]), 15)


def test_an_unknown_key_can_be_accepted_at_the_terminal(
    sit: Sit, station: Workstation, make_host: MakeHost
) -> None:
    host = make_host(known=False)
    session = sit(host.target, "--skin-edge", "/nowhere/skin-edge")
    session.wait_for("(yes/no) ")
    session.type("yes")
    assert session.end() == 6
    assert station.known_hosts.read_text() == host.known_hosts_line
    station.known_hosts.unlink()
    session = sit(host.target)
    session.wait_for("(yes/no) ")
    session.type("no")
    assert session.end() == 6
    assert not station.known_hosts.exists()


def test_an_alias_of_ssh_config_with_its_user_port_and_key(station: Workstation, host: Host) -> None:
    shutil.move(station.key, station.home / "clinic_key")
    (station.home / ".ssh" / "config").write_text(
        f"Host bench\n  HostName {host.address}\n  Port {host.port}\n  User {USER}\n"
        f"  IdentityFile {station.home}/clinic_key\n  IdentitiesOnly yes\n"
    )
    (said,) = station.json("bench", "--dry-run")
    assert said["status"] == "planned", said


def test_through_a_jump_host_that_all_share(station: Workstation, make_host: MakeHost) -> None:
    jump, *behind = make_host("jump"), make_host("one"), make_host("two")
    (station.home / ".ssh" / "config").write_text(
        f"Host jump\n  HostName {jump.address}\n  Port {jump.port}\nHost one two\n  HostName 127.0.0.1\n"
        f"  ProxyJump jump\nHost one\n  Port {behind[0].port}\nHost two\n  Port {behind[1].port}\n"
    )
    before = tree(jump.home)
    said = station.json("one", "two", "--dry-run")
    assert [one["status"] for one in said] == ["planned", "planned"], said
    assert jump.connections() == 1
    assert [host.connections() for host in behind] == [1, 1]
    assert tree(jump.home) == before


def test_the_key_of_a_jump_host_is_checked_too(station: Workstation, make_host: MakeHost) -> None:
    jump, behind = make_host("jump", known=False), make_host("behind")
    (station.home / ".ssh" / "config").write_text(
        f"Host behind\n  HostName 127.0.0.1\n  Port {behind.port}\n  ProxyJump 127.0.0.1:{jump.port}\n"
    )
    (said,) = station.json("behind")
    assert said["error"]["code"] == "host-key-unknown"
    assert behind.connections() == 0


def test_a_circle_of_jump_hosts_ends(station: Workstation) -> None:
    (station.home / ".ssh" / "config").write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    (said,) = station.json("a", timeout=60)
    assert said["error"]["code"] == "unreachable"
