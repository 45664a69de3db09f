"""What is said to a sudo that wants a password: by a stand-in that asks as it does, on any machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import asyncssh
import pytest
from loopback import BIN, Host
from workstation import MakeHost, Workstation

from skin_edge_deploy.device import Device, Said
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.machine import Machine, parse
from skin_edge_deploy.provision.rights import Passwords, Root
from skin_edge_deploy.ssh.asking import Asker, Stopwatch

T = TypeVar("T")
COMMAND = ("/usr/bin/python3", "/var/tmp/skin-edge-1/00000000.skinrelease", "install")
RIGHTS = "user=pi\nuid=1\nsystem=Linux 6 aarch64\nrights={}\ndone=1\n"
#: Takes what sudo takes, reads a line as `sudo -S` does, and notes down what it was started with.
SUDO = """#!/bin/sh
echo "$*" >>{log}
env >>{log}
while :; do case $1 in -k | -S) shift ;; -p) shift 2 ;; *) break ;; esac; done
read -r typed
[ "$typed" = "open sesame" ] || {{ echo "sudo: 1 incorrect password attempt" >&2; exit 1; }}
case $1 in
    -v) exit 0 ;;
    -l) [ ! -e {forbids} ] || {{ echo "Sorry, user pi may not run sudo on device." >&2; exit 1; }}; exit 0 ;;
esac
exec "$@"
"""


class Person(Asker):
    """Answers from a list, and keeps what was asked."""

    def __init__(self, *answers: str | None) -> None:
        super().__init__()
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    async def ask(self, question: str, clock: Stopwatch, **_: object) -> str | None:  # type: ignore[override]
        self.asked.append(question)
        return self.answers.pop(0)


def machine(rights: str) -> Machine:
    return parse("pi", Said(0, RIGHTS.format(rights), ""))


@pytest.fixture
def device_host(make_host: MakeHost, tmp_path: Path) -> Host:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sudo").write_text(SUDO.format(log=tmp_path / "log", forbids=tmp_path / "forbids"))
    (tools / "sudo").chmod(0o755)
    return make_host(env={"PATH": f"{tools}:{BIN}:/usr/bin:/bin"})


def on(host: Host, station: Workstation, work: Callable[[Device], Awaitable[T]]) -> T:
    async def run() -> T:
        async with asyncssh.connect(
            host.address,
            host.port,
            username=host.user,
            client_keys=[str(station.key)],
            known_hosts=None,
            config=[],
        ) as ssh:
            return await work(Device("pi", ssh, Limits()))

    return asyncio.run(run())


def test_the_password_goes_to_stdin_and_nowhere_else(
    device_host: Host, station: Workstation, tmp_path: Path
) -> None:
    person = Person("wrong", "open sesame")

    async def work(device: Device) -> tuple[Root, str]:
        passwords = Passwords(person, several=False)
        root = await passwords.root(device, machine("password"), COMMAND, Stopwatch(), whole=True)
        said = await device.words(*root.prefix, "echo", "done", doing="x", timeout_s=20, stdin=root.secret)
        return root, said.out

    root, out = on(device_host, station, work)
    assert root.prefix == ("sudo", "-S", "-p", "")
    assert out == "done\n"
    assert person.asked == ["Password of pi for sudo on pi: "] * 2
    log = (tmp_path / "log").read_text()
    assert "-k -S -p  -l /usr/bin/python3" in log
    assert "sesame" not in log
    assert "wrong" not in log


def test_three_wrong_ones_are_enough(device_host: Host, station: Workstation) -> None:
    async def work(device: Device) -> Root:
        passwords = Passwords(Person("a", "b", "c"), several=True)
        return await passwords.root(device, machine("password"), COMMAND, Stopwatch(), whole=True)

    with pytest.raises(HostError, match="3 times not the password of pi"):
        on(device_host, station, work)


def test_a_right_password_that_does_not_help_is_another_thing(
    device_host: Host, station: Workstation, tmp_path: Path
) -> None:
    (tmp_path / "forbids").touch()
    person = Person("open sesame")

    async def work(device: Device) -> Root:
        return await Passwords(person, several=True).root(
            device, machine("password"), COMMAND, Stopwatch(), whole=True
        )

    with pytest.raises(HostError, match="may not run sudo") as caught:
        on(device_host, station, work)
    assert caught.value.code == "not-allowed"


def test_for_many_hosts_one_question_and_one_choice(device_host: Host, station: Workstation) -> None:
    person = Person("open sesame", "yes")

    async def work(device: Device) -> list[Root]:
        passwords = Passwords(person, several=True)
        one = lambda: passwords.root(device, machine("password"), COMMAND, Stopwatch(), whole=True)  # noqa: E731
        return await asyncio.gather(*(one() for _ in range(4)))

    assert {root.secret for root in on(device_host, station, work)} == {b"open sesame\n"}
    assert len(person.asked) == 2


@pytest.mark.parametrize(
    ("rights", "whole", "prefix"),
    [("root", True, ()), ("sudo", True, ("sudo", "-n")), ("line", False, ("sudo", "-n"))],
)
def test_nobody_is_asked_where_none_is_wanted(
    device_host: Host, station: Workstation, rights: str, whole: bool, prefix: tuple[str, ...]
) -> None:
    async def work(device: Device) -> Root:
        return await Passwords(Person(), several=True).root(
            device, machine(rights), COMMAND, Stopwatch(), whole=whole
        )

    assert on(device_host, station, work) == Root(prefix)


def test_without_sudo_it_says_so(device_host: Host, station: Workstation) -> None:
    async def work(device: Device) -> Root:
        return await Passwords(Person(), several=True).root(
            device, machine("none"), COMMAND, Stopwatch(), whole=True
        )

    with pytest.raises(HostError, match="there is no sudo"):
        on(device_host, station, work)
