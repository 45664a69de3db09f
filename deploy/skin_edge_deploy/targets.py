"""Who is meant: `pi@bench-3`, an alias of ssh_config, an address with a port, or a file with one a line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from skin_edge.cli.console import visible
from skin_edge.errors import UsageError

#: A name or an address as ssh takes it, and nothing that a shell or an option parser could take for more.
_HOST: Final = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%\w+)?"
)
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@\\-]{0,127}")
_MAX_LIST_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """One host as it was asked for; what is None is left to ssh_config.

    Attributes:
        text: as it was written.
        host: a name, an alias of ssh_config, or an address without brackets.
        user: login there.
        port: TCP port.
    """

    text: str
    host: str
    user: str | None = None
    port: int | None = None


def parse_target(text: str) -> Target:
    """Return the target in ``[USER@]HOST[:PORT]``; an IPv6 address with a port is in brackets.

    Raises:
        UsageError: it is none (``target``).
    """
    user, at, rest = text.rpartition("@")
    host, port = _split_port(rest)
    if at and not _USER.fullmatch(user):
        raise _wrong(text, "before the @ is no user name")
    if not _HOST.fullmatch(host):
        raise _wrong(text, "give it as host, user@host, user@host:port or [address]:port")
    return Target(text, host, user if at else None, _port(text, port))


def parse_targets(arguments: Iterable[str]) -> list[Target]:
    """Return all targets in the order in which they are named, each once; ``@FILE`` has one a line.

    In a file, what follows a ``#`` is a comment, and so is an empty line.

    Raises:
        UsageError: one is no target, a file cannot be read, or there is none at all.
    """
    found: dict[tuple[str, str | None, int | None], Target] = {}
    for argument in arguments:
        for target in (
            _read_list(Path(argument[1:])) if argument.startswith("@") else [parse_target(argument)]
        ):
            found.setdefault((target.host, target.user, target.port), target)
    if not found:
        raise UsageError("no target is named; give pi@host, or @FILE with one a line", code="target")
    return list(found.values())


def _read_list(path: Path) -> list[Target]:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_LIST_BYTES + 1)
        if len(data) > _MAX_LIST_BYTES:
            raise UsageError(f"@{path}: larger than {_MAX_LIST_BYTES} bytes: no list of hosts", code="target")
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"@{path}: no list of hosts: it is not UTF-8", code="target") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"@{path}: cannot be read: {reason}", code="target") from None
    targets = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if len(words) > 1:
            raise UsageError(f"@{path}, line {number}: one host a line", code="target")
        try:
            targets += [parse_target(word) for word in words]
        except UsageError as error:
            raise UsageError(f"@{path}, line {number}: {error}", code="target") from None
    return targets


def _split_port(rest: str) -> tuple[str, str | None]:
    if rest.startswith("["):
        host, bracket, port = rest[1:].partition("]")
        return (host, port[1:] if port else None) if bracket and port[:1] in ("", ":") else ("", None)
    if rest.count(":") == 1:
        host, _, port = rest.partition(":")
        return host, port
    return rest, None  # a name, or an IPv6 address without a port


def _port(text: str, port: str | None) -> int | None:
    if port is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65_535:
        raise _wrong(text, "the port is a number from 1 to 65535")
    return int(port)


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(f"{visible(text)!r} is no target: {why}", code="target")
