"""Commands on one host, over one connection: bounded in time and in what is read of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncssh
import msgspec

from skin_edge.model.manifest import one_line
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.ssh.patience import within


def _unheard(line: str) -> None:
    """Leave a line to whoever reads it all at the end."""


#: What a connection that breaks raises, depending on who notices first.
BROKEN: Final = (asyncssh.Error, OSError, EOFError)


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a command.

    Attributes:
        status: its exit status; -1 where a signal ended it.
        out: its stdout.
        err: its stderr.
    """

    status: int
    out: str
    err: str

    def objects(self) -> list[dict[str, Any]]:
        """Return the JSON objects on stdout, one a line; what else is there is left out."""
        found = []
        for line in self.out.splitlines():
            try:
                value = msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError):
                continue
            if isinstance(value, dict):
                found.append(value)
        return found

    def last_words(self) -> str:
        """Return the last line of stderr, or of stdout where that is empty, fit for a message."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return one_line(lines[-1]) if lines else "nothing was said"


class Device:
    """One host that is connected to.

    Args:
        name: of the target, for messages.
        ssh: the connection; all goes over this one.
        limits: patience.
    """

    def __init__(self, name: str, ssh: asyncssh.SSHClientConnection, limits: Limits) -> None:
        self.name = name
        self.ssh = ssh
        self.limits = limits

    async def sh(self, script: str, *arguments: str, doing: str, timeout_s: float) -> Said:
        """Run a POSIX shell script there, whatever the login shell is.

        Args:
            script: goes to the stdin of `sh`, so it is in no process list.
            arguments: its $1, $2, ...; words without blanks or quotes.
            doing: what for, as an error says it.
            timeout_s: seconds.

        Raises:
            HostError: no answer in time, or the connection is gone.
        """
        command = " ".join(["exec sh -s --", *(_quoted(word) for word in arguments)])
        return await self._run(command, script.encode(), doing, timeout_s, _unheard)

    async def words(
        self,
        *words: str,
        doing: str,
        timeout_s: float,
        stdin: bytes = b"",
        heard: Callable[[str], None] = _unheard,
    ) -> Said:
        """Run a command there, whatever the login shell is.

        Args:
            words: of it, each without quotes or line breaks; all can read them in the process list.
            doing: what for, as an error says it.
            timeout_s: seconds.
            stdin: what it can read; nobody else sees it.
            heard: is told each line of its stderr as it comes.

        Raises:
            HostError: no answer in time, or the connection is gone.
        """
        # Out of the login's folder, which another account may not be allowed to read.
        elsewhere = ("sh", "-c", 'cd / && exec "$@"', "sh")
        command = " ".join(["exec", *(_quoted(word) for word in (*elsewhere, *words))])
        return await self._run(command, stdin, doing, timeout_s, heard)

    async def _run(
        self, command: str, stdin: bytes, doing: str, timeout_s: float, heard: Callable[[str], None]
    ) -> Said:
        work = self._process(command, stdin, doing, heard)
        return await within(timeout_s, f"{self.name}: {doing}", work, cut=self.ssh.abort)

    async def _process(self, command: str, stdin: bytes, doing: str, heard: Callable[[str], None]) -> Said:
        limit = self.limits.max_output_bytes
        try:
            # No pseudo-terminal, and no bytes taken for text: what comes back is not trusted.
            async with self.ssh.create_process(command, encoding=None, request_pty=False) as process:
                process.stdin.write(stdin)
                process.stdin.write_eof()
                out, err = await asyncio.gather(
                    _read(process.stdout, limit, _unheard), _read(process.stderr, limit, heard)
                )
                done = await process.wait()
        except BROKEN as error:
            raise lost(self.name, doing, error) from None
        if len(out) > limit or len(err) > limit:
            raise HostError(f"{self.name}: {doing}: it said more than {limit} bytes", code="device")
        if done.exit_status is None:
            raise HostError(f"{self.name}: {doing}: the connection was lost", code="connection-lost")
        return Said(done.exit_status, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def lost(name: str, doing: str, error: Exception) -> HostError:
    """Return the error of a connection that broke while something was done."""
    return HostError(
        f"{name}: {doing}: the connection was lost: {one_line(str(error)) or type(error).__name__}",
        code="connection-lost",
    )


async def _read(stream: asyncssh.SSHReader[bytes], limit: int, heard: Callable[[str], None]) -> bytes:
    kept = b""
    told = 0
    while len(kept) <= limit:
        part = await stream.read(65_536)
        if not part:
            return kept
        kept += part
        while (end := kept.find(b"\n", told)) >= 0:
            heard(one_line(kept[told:end].decode("utf-8", "replace")))
            told = end + 1
    return kept


def _quoted(word: str) -> str:
    # Quotes alone, without shlex's tricks: fish and csh understand no others.
    if "'" in word or "\\" in word or not word.isprintable() or "!" in word:
        raise HostError(f"{word!r}: cannot be passed to a shell there", code="device")
    return f"'{word}'"
