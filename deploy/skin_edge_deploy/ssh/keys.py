"""Keys with a passphrase: tried when agent and open keys are through, each asked for once for all hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import asyncssh

from skin_edge_deploy.ssh.asking import Asker, Stopwatch

DEFAULT_FILES: Final = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa", "~/.ssh/id_ed25519_sk")
_TRIES: Final = 3


class Keyring:
    """Unlocked keys, for as long as this process lives."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._open: dict[Path, asyncssh.SSHKey] = {}
        self._left_out: set[Path] = set()
        self._turn = asyncio.Lock()

    async def locked_files(self, options: asyncssh.SSHClientConnectionOptions) -> list[Path]:
        """Return the identity files for a host that need a passphrase and are in no agent."""
        named = cast("Sequence[str]", options.config.get("IdentityFile", ())) or DEFAULT_FILES
        paths = [Path(name).expanduser() for name in named]
        in_agent = await _agent_keys(options.agent_path)
        return [path for path in paths if _is_locked(path) and _public_data(path) not in in_agent]

    async def unlock(self, path: Path, clock: Stopwatch) -> asyncssh.SSHKey | None:
        """Return the key in `path`, for whose passphrase a person is asked; None where they leave it out.

        Args:
            path: a key file.
            clock: runs while they are asked.
        """
        # Until the key is derived: who waits must not be asked for it once more meanwhile.
        with clock.running():
            await self._turn.acquire()
        try:
            return await self._unlock(path, clock)
        finally:
            self._turn.release()

    async def _unlock(self, path: Path, clock: Stopwatch) -> asyncssh.SSHKey | None:
        for _ in range(_TRIES):
            if path in self._open or path in self._left_out:
                return self._open.get(path)
            passphrase = await self._asker.ask(
                f"Passphrase for the key {path} (empty: leave it out): ",
                clock,
                known=lambda: "" if path in self._open or path in self._left_out else None,
            )
            if path in self._open:
                continue
            if not passphrase:
                self._left_out.add(path)
                continue
            try:
                # Deriving the key is slow on purpose: other hosts go on meanwhile.
                self._open[path] = await asyncio.to_thread(asyncssh.read_private_key, path, passphrase)
            except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError):
                continue
        return self._open.get(path)


def _is_locked(path: Path) -> bool:
    try:
        asyncssh.read_private_key(path)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        return "assphrase" in str(error)
    except OSError:
        return False
    return False


def _public_data(path: Path) -> bytes | None:
    try:
        return asyncssh.read_public_key(path.with_name(f"{path.name}.pub")).public_data
    except (asyncssh.KeyImportError, OSError):
        return None


async def _agent_keys(path: str | None) -> set[bytes | None]:
    if not path:
        return set()
    try:
        async with asyncssh.connect_agent(path) as agent:
            return {pair.public_data for pair in await agent.get_keys()}
    except (OSError, ValueError):
        return set()
