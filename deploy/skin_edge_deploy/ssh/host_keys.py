"""Whose key a host may show: known_hosts is enforced, an unknown key is shown, a changed one always refused.

Keys are looked up by name, as `ssh` does since OpenSSH 8.5, not by address as well: addresses move from one
device to the next. `StrictHostKeyChecking` of ssh_config is not read: no setting switches this off.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from skin_edge.durable import fsync_directory, make_directory
from skin_edge_deploy.errors import HostError

USER_FILES: Final = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_FILES: Final = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
DEFAULT_PORT: Final = 22


@dataclass(slots=True)
class HostKeyCheck:
    """The check of one host's key, and what it came to.

    Attributes:
        name: under which the key is known: the alias or host name, with its port unless that is 22.
        bare: the host name alone; a key known under it is good on any port.
        files: known_hosts files that exist.
        home: the file to which a new key goes; None where ssh_config wants none.
        accept_new: take an unknown key.
        accepted: fingerprint of an unknown key that a person has accepted.
        shown: the key that the host showed and that was in no file.
        changed: another key is known for this name.
        learnt: an unknown key that was taken.
    """

    name: str
    bare: str
    files: Sequence[Path]
    home: Path | None
    accept_new: bool = False
    accepted: str | None = None
    shown: asyncssh.SSHKey | None = field(default=None, init=False)
    changed: bool = field(default=False, init=False)
    learnt: asyncssh.SSHKey | None = field(default=None, init=False)
    _under_name: Any = field(init=False)
    _trusted: Any = field(init=False)

    def __post_init__(self) -> None:
        try:
            known = asyncssh.read_known_hosts([str(path) for path in self.files])
        except (ValueError, OSError) as error:
            raise HostError(f"known_hosts cannot be read: {error}", code="known-hosts") from None
        self._under_name = known.match(self.name, "", None)
        self._trusted = self._under_name if any(self._under_name) else known.match(self.bare, "", None)

    def trusted(self, host: str, addr: str, port: int | None) -> object:
        """Return what known_hosts says of this host, in the form that asyncssh takes for `known_hosts`."""
        return self._trusted

    def algorithms(self) -> list[str]:
        """Return the kinds of host keys to ask for: first those that are known, then all others.

        The others so that a host that has a key of another kind shows it, and is refused for it.
        """
        certificates = get_default_certificate_algs() if self._trusted[1] else []
        known = [algorithm for key in self._trusted[0] for algorithm in key.sig_algorithms]
        ordered = dict.fromkeys([*certificates, *known, *get_default_public_key_algs()])
        return [algorithm.decode("ascii") for algorithm in ordered]

    def take(self, key: asyncssh.SSHKey) -> bool:
        """Decide on a key that known_hosts does not have for this host."""
        self.shown = key
        self.changed = bool(self._under_name[0])
        if not self.changed and (self.accept_new or self.accepted == key.get_fingerprint()):
            self.learnt = key
        return self.learnt is not None

    def remember(self) -> None:
        """Append the learnt key to the user's known_hosts, durable; once, whoever else does so now.

        Raises:
            HostError: there is no such file to be had (``known-hosts``).
        """
        if self.learnt is None:
            return
        if self.home is None:
            raise HostError(
                f"{self.name}: UserKnownHostsFile is none, so its key cannot be remembered",
                code="known-hosts",
            )
        line = f"{self.name} {self.learnt.export_public_key('openssh').decode('ascii').strip()}".rsplit(
            "\n", 1
        )[0]
        words = line.split()[:3]  # without the comment
        try:
            make_directory(self.home.parent)
            _append_line(self.home, " ".join(words).encode("ascii"))
        except OSError as error:
            raise HostError(
                f"{self.home}: the key of {self.name} cannot be remembered: {error.strerror}",
                code="known-hosts",
            ) from error


def describe(key: asyncssh.SSHKey) -> str:
    """Return kind and fingerprint of a key, as `ssh` shows them."""
    kind = key.get_algorithm().removeprefix("ssh-").upper()
    return f"{kind} key with the fingerprint {key.get_fingerprint()}"


def check_for(
    options: asyncssh.SSHClientConnectionOptions, *, accept_new: bool, accepted: str | None
) -> HostKeyCheck:
    """Return the check of the host that `options`, read from ssh_config, lead to.

    Raises:
        HostError: a known_hosts file is damaged.
    """
    alias, host, port = options.host_key_alias, options.host.lower(), options.port
    name = alias or (host if port == DEFAULT_PORT else f"[{host}]:{port}")
    named = cast("Sequence[str]", options.config.get("UserKnownHostsFile", USER_FILES))
    users = [Path(file).expanduser() for file in named]
    named = cast("Sequence[str]", options.config.get("GlobalKnownHostsFile", SYSTEM_FILES))
    system = [Path(file) for file in named]
    return HostKeyCheck(
        name=name,
        bare=alias or host,
        files=[path for path in (*users, *system) if path.exists() and os.access(path, os.R_OK)],
        home=users[0] if users else None,
        accept_new=accept_new,
        accepted=accepted,
    )


def _append_line(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        before = stream.read() or b""
        if line in before.splitlines():
            return
        stream.write((b"" if before.endswith(b"\n") or not before else b"\n") + line + b"\n")
        os.fsync(stream.fileno())
    fsync_directory(path.parent)
