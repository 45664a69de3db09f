"""This host as a workstation: the real `skin-edge deploy` to the machine, over its forwarded SSH port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import CONNECT_TIMEOUT_S, Machine

TARGET = "machine"
#: Of a whole push, in seconds; an emulated one takes a minute where nothing else is done here.
PUSH_TIMEOUT_S = 900.0

_SSH_CONFIG = """\
Host {target}
    HostName 127.0.0.1
    Port {port}
    User {user}
    HostKeyAlias skin-edge-vm
    UserKnownHostsFile {known_hosts}
    IdentityFile {key}
    IdentitiesOnly yes
"""


class Workstation:
    """Where `skin-edge deploy` runs, with a home and an ssh_config of its own.

    Args:
        folder: for both.
        machine: the target; its port may change with each boot.
    """

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.folder = folder
        self.machine = machine
        (folder / "home").mkdir(parents=True, exist_ok=True)

    def start(self, *words: str, user: str = "clinic") -> subprocess.Popen[str]:
        """Start `skin-edge deploy machine WORDS --json`, logged in as `user` there."""
        config = self.folder / f"ssh_config-{user}"
        build = self.machine.build
        config.write_text(
            _SSH_CONFIG.format(
                target=TARGET,
                port=self.machine.port,
                user=user,
                known_hosts=build.known_hosts,
                key=build.key,
            ),
            encoding="utf-8",
        )
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SKIN_EDGE_", "SSH_", "XDG_"))}
        home = self.folder / "home"
        command = [sys.executable, "-m", "skin_edge", "deploy", TARGET, *words, "--json"]
        command += ["--ssh-config", str(config), "--connect-timeout", f"{CONNECT_TIMEOUT_S:.0f}"]
        return subprocess.Popen(
            command,
            env=kept | {"HOME": str(home), "SKIN_EDGE_HOME": str(home / "state")},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def push(self, bundle: Path, *words: str, user: str = "clinic") -> dict[str, Any]:
        """Push a bundle, and return what the command says of the machine.

        Raises:
            AssertionError: it says nothing, or says it with a traceback.
        """
        return answer(self.start("--bundle", str(bundle), *words, user=user))


def answer(process: subprocess.Popen[str], timeout_s: float = PUSH_TIMEOUT_S) -> dict[str, Any]:
    """Wait for a push and return its one object; `exit` is its exit status, `stderr` what else it said.

    Raises:
        AssertionError: it is not one object, or there is a traceback.
    """
    out, err = process.communicate(timeout=timeout_s)
    assert "Traceback" not in err, err
    lines = out.splitlines()
    assert len(lines) <= 1, out
    told: dict[str, Any] = json.loads(lines[0]) if lines else {"status": None}
    return told | {"exit": process.returncode, "stderr": err}
