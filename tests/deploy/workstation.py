"""The other end of a push: a home of its own, and the command that is run there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from loopback import Host
from terminal import Session

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
MakeHost = Callable[..., Host]
MakeBundle = Callable[..., Path]
Sit = Callable[..., Session]


@dataclass
class Workstation:
    """Where `skin-edge deploy` runs."""

    home: Path
    run_cli: RunCli

    @property
    def key(self) -> Path:
        """Its key without a passphrase."""
        return self.home / ".ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.home / ".ssh" / "known_hosts"

    def know(self, *hosts: Host) -> None:
        """Have the keys of hosts in known_hosts."""
        with self.known_hosts.open("a") as stream:
            stream.writelines(host.known_hosts_line for host in hosts)

    def deploy(self, *args: object, **options: object) -> subprocess.CompletedProcess[str]:
        """Run `skin-edge deploy ARGS` there, without a terminal."""
        return self.run_cli(
            "deploy", *map(str, args), **{"timeout": 200, "stdin": subprocess.DEVNULL, **options}
        )

    def json(self, *args: object, **options: object) -> list[dict[str, Any]]:
        """Run it with --json and return its objects."""
        done = self.deploy(*args, "--json", **options)
        return [msgspec.json.decode(line) for line in done.stdout.splitlines()]
