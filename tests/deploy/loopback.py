"""Devices to push to: OpenSSH servers on loopback, each in a throw-away root, with the real command."""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
USER = getpass.getuser()
BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]


def keygen(path: Path, passphrase: str = "") -> Path:
    """Make an Ed25519 key at `path` and return that."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def fingerprint(public: Path) -> str:
    """Return the SHA256 fingerprint that ssh-keygen gives for a public key."""
    done = subprocess.run(["ssh-keygen", "-lf", str(public)], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]


def free_port(address: str = "127.0.0.1") -> int:
    """Return a TCP port that nobody has."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def tree(folder: Path) -> str:
    """Return a hash of all names, modes, times and contents below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        digest.update(f"{path.relative_to(folder)} {status.st_mode} {status.st_mtime_ns}\n".encode())
        if path.is_symlink():
            digest.update(str(path.readlink()).encode())
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Host:
    """One device: `start()` it, push to `target`, look at `home`, `state` and `log()`.

    Args:
        root: an empty folder.
        authorized: public keys that may log in.
        address: on loopback, or in a network of its own.
        inside: words before every command, as `ip netns exec NAME`.
        env: of the login, beside what it needs; None leaves a variable out.
        options: lines for sshd_config.
        user: the login.
    """

    def __init__(
        self,
        root: Path,
        authorized: Path,
        *,
        address: str = "127.0.0.1",
        port: int | None = None,
        inside: tuple[str, ...] = (),
        env: Mapping[str, str | None] | None = None,
        options: str = "",
        user: str = USER,
    ) -> None:
        self.user = user
        self.root, self.address, self.port = root, address, port or free_port()
        self.home, self.state = root / "home", root / "state"
        self.config = root / "config" / "skin-edge" / "config.yaml"
        self._inside = inside
        self._log = root / "sshd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.home.mkdir(parents=True)
        self.config.parent.mkdir(parents=True)
        self.config.write_text("{}\n")
        self.key = keygen(root / "ssh_host_ed25519_key")
        login: dict[str, str | None] = {
            "HOME": str(self.home),
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
            "SKIN_EDGE_HOME": str(self.state),
            "XDG_CONFIG_HOME": str(root / "config"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
            **(env or {}),
        }
        pairs = " ".join(f'"{name}={value}"' for name, value in login.items() if value is not None)
        (root / "sshd_config").write_text(
            f"ListenAddress {address}\nPort {self.port}\nHostKey {self.key}\nPidFile none\n"
            f"AuthorizedKeysFile {authorized}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
            f"MaxStartups 200\nSubsystem sftp internal-sftp\nSetEnv {pairs}\n{options}"
        )

    @property
    def target(self) -> str:
        """How `skin-edge deploy` is told of it."""
        return f"{self.user}@{self.address}:{self.port}"

    @property
    def known_hosts_line(self) -> str:
        """What a workstation that knows it has in known_hosts."""
        kind, data = self.key.with_suffix(".pub").read_text().split()[:2]
        return f"[{self.address}]:{self.port} {kind} {data}\n"

    def start(self) -> Host:
        """Start its server and wait until it answers."""
        assert SSHD is not None
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = [*self._inside, SSHD, "-D", "-f", str(self.root / "sshd_config"), "-E", str(self._log)]
        before = len(self.log())
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while "Server listening" not in self.log()[before:]:
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Stop its server; connections that it has are cut."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def log(self) -> str:
        """What its server wrote."""
        return self._log.read_text() if self._log.exists() else ""

    def connections(self) -> int:
        """How often somebody connected to it."""
        return self.log().count("Connection from ")

    def current(self) -> str | None:
        """The model in use; None for the one that is shipped."""
        link = self.state / "models" / "current"
        return str(link.readlink()) if link.is_symlink() else None

    def uploads(self) -> list[str]:
        """Names of what is left of uploads."""
        folder = self.home / ".cache" / "skin-edge" / "uploads"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
