"""A fleet on loopback, and the real ansible-playbook with all that is in deploy/ansible."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from loopback import BIN, USER, Host, tree

ANSIBLE = Path(__file__).resolve().parents[3] / "deploy" / "ansible"
_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Played:
    """What came of a play: its output, and of each host that it came to (changed, unreachable, failed)."""

    status: int
    said: str
    recap: dict[str, tuple[int, int, int]]


@dataclass
class Fleet:
    """Hosts by name, and a workstation that knows them."""

    home: Path
    key: Path
    hosts: dict[str, Host] = field(default_factory=dict)

    def add(self, name: str) -> Host:
        """Start another one."""
        host = Host(self.home.parent / "hosts" / name, self.key.with_suffix(".pub"))
        with (self.home / "known_hosts").open("a") as stream:
            stream.write(host.known_hosts_line)
        self.hosts[name] = host
        return host.start()

    def reset(self) -> None:
        """Make all of them new."""
        for host in self.hosts.values():
            for left in ("state", "uploads", "tmp", "etc", "opt"):
                shutil.rmtree(host.root / left, ignore_errors=True)
            (host.root / "uploads").mkdir()
            host.config.write_text("{}\n")

    def tree(self, name: str) -> str:
        """Return a hash of all that a play could have changed on a host."""
        root = self.hosts[name].root
        kept = ("state", "uploads", "config", "etc", "opt")
        return "".join(tree(root / folder) for folder in kept if (root / folder).exists())

    def play(
        self, *names: str, args: Sequence[str] = (), serial: object = (1, "100%"), **wanted: Any
    ) -> Played:
        """Run site.yml on hosts, in that order; keywords are variables of the role, without `skin_edge_`."""
        variables = {
            "skin_edge_become": False,
            "skin_edge_service": False,
            "skin_edge_program": str(BIN / "skin-edge"),
            "skin_edge_python": sys.executable,
            "skin_edge_doctor_checks": ["config"],
            **{f"skin_edge_{name}": value for name, value in wanted.items()},
        }
        inventory = {"skin_edge": {"hosts": {n: self._host(n) for n in names}, "vars": variables}}
        path = self.home / "inventory.yml"
        path.write_text(yaml.safe_dump(inventory, sort_keys=False))
        extra = self.home / "extra.yml"
        extra.write_text(
            yaml.safe_dump({"skin_edge_serial": [*serial] if isinstance(serial, tuple) else serial})
        )
        command = [BIN / "ansible-playbook", "site.yml", "-i", path, "-e", f"@{extra}", *args]
        done = subprocess.run(
            command, cwd=ANSIBLE, env=self._env(), capture_output=True, text=True, timeout=240,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self._hang_up()
        recap = {name: (int(c), int(u), int(f)) for name, c, u, f in _RECAP.findall(done.stdout)}
        return Played(done.returncode, done.stdout + done.stderr, recap)

    def _host(self, name: str) -> dict[str, object]:
        host = self.hosts[name]
        return {
            "ansible_host": host.address,
            "ansible_port": host.port,
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.home}/known_hosts -o IdentitiesOnly=yes",
            "ansible_python_interpreter": sys.executable,
            "ansible_remote_tmp": str(host.root / "tmp"),
            "skin_edge_uploads": str(host.root / "uploads"),
            "skin_edge_prefix": str(host.root / "opt"),
            "skin_edge_config_path": str(host.root / "etc" / "config.yaml"),
            "skin_edge_allowed_signers_path": str(host.root / "etc" / "allowed_signers"),
        }

    def _env(self) -> dict[str, str]:
        own = ("ANSIBLE_", "SKIN_EDGE_", "XDG_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(own) and k != "SSH_AUTH_SOCK"}
        return kept | {
            "HOME": str(self.home),
            "ANSIBLE_HOME": str(self.home / ".ansible"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.home / "cp"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }

    def _hang_up(self) -> None:
        # ssh keeps its connections for a minute, also to a host that a test takes down.
        for socket in (self.home / "cp").glob("*"):
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "x"], capture_output=True)
