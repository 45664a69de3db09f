"""How commands become root's on a host: as root, by sudo, or by sudo and a password from the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from skin_edge_deploy.device import Device, Said
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.machine import Machine
from skin_edge_deploy.ssh.asking import Asker, Stopwatch

_TRIES: Final = 3
_SUDO_TIMEOUT_S: Final = 60.0
#: What sudo says of a password that is not the right one, in the language that it is told to speak.
_WRONG: Final = ("incorrect password", "no password was provided", "Sorry, try again")


@dataclass(frozen=True, slots=True)
class Root:
    """How a command becomes root's.

    Attributes:
        prefix: words before it.
        secret: what sudo reads from its stdin; never in a word, a variable, a file or a message.
    """

    prefix: tuple[str, ...] = ()
    secret: bytes = field(default=b"", repr=False)


class Passwords:
    """Asks for passwords of sudo; kept in memory only where a person says that they are to be used again.

    Args:
        asker: puts the questions.
        several: there are further hosts, for which a password could be used again.
    """

    def __init__(self, asker: Asker, *, several: bool) -> None:
        self._asker = asker
        self._several = several
        self._kept: dict[str, str] = {}
        self._settled: set[str] = set()
        self._turns: dict[str, asyncio.Lock] = {}

    async def root(
        self, device: Device, machine: Machine, command: Sequence[str], clock: Stopwatch, *, whole: bool
    ) -> Root:
        """Return how commands become root's on a host.

        Args:
            device: the host.
            machine: what is known of it.
            command: one that will be run as root; sudo is asked whether it may.
            clock: runs while a person is asked.
            whole: more than the installation of a release is to be done.

        Raises:
            HostError: we cannot become root there (``not-allowed``).
        """
        if machine.rights == "root":
            return Root()
        if machine.rights == "sudo" or (machine.rights == "line" and not whole):
            return Root(("sudo", "-n"))
        if machine.rights == "none":
            raise HostError(
                f"{device.name}: {machine.user} is not root there, and there is no sudo; log in as root",
                code="not-allowed",
            )
        turn = self._turns.setdefault(machine.user, asyncio.Lock())
        # Until it is known whether the answer is for all: who waits must not be asked meanwhile.
        with clock.running():
            await turn.acquire()
        try:
            return await self._by_password(device, machine.user, command, clock)
        finally:
            turn.release()

    async def _by_password(self, device: Device, user: str, command: Sequence[str], clock: Stopwatch) -> Root:
        kept = self._kept.get(user)
        if kept is not None:
            secret = _line(kept)
            if await _takes(device, command, secret):
                return _with(secret)
        for _ in range(_TRIES):
            answer = await self._asker.ask(f"Password of {user} for sudo on {device.name}: ", clock)
            if answer is None:
                raise HostError(
                    f"{device.name}: sudo wants the password of {user}, and there is no terminal to ask "
                    "at; run this at one, log in as root, or let sudo do without (docs/deploy.md)",
                    code="not-allowed",
                )
            secret = _line(answer)
            if await _takes(device, command, secret):
                await self._settle(user, answer, clock)
                return _with(secret)
        raise HostError(f"{device.name}: {_TRIES} times not the password of {user}", code="not-allowed")

    async def _settle(self, user: str, password: str, clock: Stopwatch) -> None:
        """Ask once for each login whether its password is to be used on further hosts, too."""
        if not self._several or user in self._settled:
            return
        self._settled.add(user)
        answer = await self._asker.ask(
            f"Use it for {user} on the other hosts, too? (yes/no) ", clock, echo=True
        )
        if answer is not None and answer.strip().lower() in ("y", "yes"):
            self._kept[user] = password


async def _takes(device: Device, command: Sequence[str], secret: bytes) -> bool:
    """Return whether a password is the right one.

    Raises:
        HostError: it is, but sudo does not let us do what is to be done.
    """
    # -l alone would ask for none where another line of sudoers says NOPASSWD.
    for question in (("-v",), ("-l", *command)):
        said: Said = await device.words(
            "env", "LC_ALL=C", "sudo", "-k", "-S", "-p", "", *question,
            doing="asking sudo", timeout_s=_SUDO_TIMEOUT_S, stdin=secret,
        )  # fmt: skip
        if said.status and any(words in said.err for words in _WRONG):
            return False
        if said.status:
            raise HostError(
                f"{device.name}: sudo does not let us install releases there: {said.last_words()}",
                code="not-allowed",
            )
    return True


def _with(secret: bytes) -> Root:
    return Root(("sudo", "-S", "-p", ""), secret)


def _line(password: str) -> bytes:
    return password.encode("utf-8", "surrogateescape") + b"\n"
