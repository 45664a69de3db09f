"""What this side answers while a connection is made: is the host's key known, and who are we."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncssh

from skin_edge_deploy.ssh.asking import Asker, Stopwatch
from skin_edge_deploy.ssh.host_keys import HostKeyCheck
from skin_edge_deploy.ssh.keys import Keyring

#: As `ssh` has it (NumberOfPasswordPrompts).
_TRIES: Final = 3


class Client(asyncssh.SSHClient):
    """One attempt at a connection.

    Args:
        who: user and host, as questions name them.
        options: from ssh_config.
        check: of the host's key.
        keyring: keys with a passphrase.
        asker: asks for passwords.
        clock: runs while a person is asked.
    """

    def __init__(
        self,
        who: str,
        options: asyncssh.SSHClientConnectionOptions,
        check: HostKeyCheck,
        keyring: Keyring,
        asker: Asker,
        clock: Stopwatch,
    ) -> None:
        self._who = who
        self._options = options
        self._check = check
        self._keyring = keyring
        self._asker = asker
        self._clock = clock
        self._locked: list[Path] | None = None
        self._passwords = 0
        self._challenges = 0

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Decide on a key that known_hosts does not have."""
        return self._check.take(key)

    async def public_key_auth_requested(self) -> asyncssh.SSHKey | None:
        """Return the next key that needs a passphrase, once agent and open keys are through."""
        if self._locked is None:
            self._locked = await self._keyring.locked_files(self._options)
        while self._locked:
            key = await self._keyring.unlock(self._locked.pop(0), self._clock)
            if key is not None:
                return key
        return None

    async def password_auth_requested(self) -> str | None:
        """Return a password from the terminal; None after three, or where there is no terminal."""
        self._passwords += 1
        if self._passwords > _TRIES:
            return None
        return await self._asker.ask(f"Password of {self._who}: ", self._clock)

    def kbdint_auth_requested(self) -> str | None:
        """Take part in keyboard-interactive authentication (PAM, one-time codes), three times."""
        self._challenges += 1
        return "" if self._challenges <= _TRIES else None

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> Sequence[str] | None:
        """Return what a person answers to each of the host's questions."""
        answers = []
        for prompt, echo in prompts:
            answer = await self._asker.ask(f"{self._who}: {prompt.strip()} ", self._clock, echo=echo)
            if answer is None:
                return None
            answers.append(answer)
        return answers
