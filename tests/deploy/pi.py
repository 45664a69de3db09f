"""A device on loopback that has no skin-edge yet: a mount namespace with folders and accounts of its own.

What runs there is what runs on a device: sshd, sudo, its accounts, /usr/bin/python3, the release's installer.
Only systemd is a stand-in, which notes down what it is told. Needs root; nothing of this machine is changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from loopback import Host

PASSWORD = "correct horse"
#: By its path on a device, and its folder in the host's root.
OWN = {
    "/etc": "etc", "/opt": "opt", "/usr/local": "local", "/var/tmp": "vartmp", "/run": "run",
    "/srv": "srv", "/home": "homes",
}  # fmt: skip
STATE = "/srv/skin-edge"
#: Accounts of a device; `pi` may log in, `skin-edge` is the service's.
ACCOUNTS = {
    "passwd": f"pi:x:7001:7001::/home/pi:/bin/sh\nskin-edge:x:7002:7002::{STATE}:/usr/sbin/nologin\n",
    "group": "pi:x:7001:\nskin-edge:x:7002:\n",
}
SYSTEMCTL = f"""#!/bin/sh
[ "$1" = show ] || echo "$*" >>/opt/systemctl
[ "$1" = show ] && [ -e /etc/systemd/system/skin-edge.service ] && cat <<'END'
LoadState=loaded
ActiveState=inactive
User=skin-edge
Environment=SKIN_EDGE_HOME={STATE}
ExecStart={{ path=/opt/skin-edge/current/bin/skin-edge ; argv[]=x }}
END
exit 0
"""


class Pi(Host):
    """A bare device. `start()` it, provision `target`, look at `at("/opt")`.

    Args:
        root: an empty folder.
        authorized: public key that may log in.
        user: the login: `root` or `pi`.
        sudo: what /etc/sudoers.d says of it; None: nothing.
        python: what its /usr/bin/python3 says of itself when it is looked at: "3 13 64 glibc 2.41".
        systemd: it is the init there.
        room_mb: of a disk of its own below /opt; None: as much as there is here.
    """

    def __init__(
        self,
        root: Path,
        authorized: Path,
        *,
        user: str = "root",
        sudo: str | None = None,
        python: str | None = None,
        systemd: bool = True,
        room_mb: int | None = None,
        options: str = "",
        port: int | None = None,
    ) -> None:
        folders = {path: root / name for path, name in OWN.items()}
        for folder in folders.values():
            folder.mkdir(parents=True)
        subprocess.run(["cp", "-a", "/etc/.", folders["/etc"]], check=True)
        self._folders = folders
        etc = folders["/etc"]
        shutil.copy(authorized, etc / "authorized_key")
        for name, lines in ACCOUNTS.items():
            with (etc / name).open("a") as stream:
                stream.write(lines)
        crypted = subprocess.run(
            ["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True
        ).stdout.strip()
        with (etc / "shadow").open("a") as stream:
            stream.write(f"pi:{crypted}:19000:0:99999:7:::\nskin-edge:!:19000::::::\n")
        shutil.rmtree(etc / "skin-edge", ignore_errors=True)
        (etc / "systemd/system").mkdir(parents=True, exist_ok=True)
        (etc / "systemd/system/skin-edge.service").unlink(missing_ok=True)
        if sudo is not None:
            (etc / "sudoers.d").mkdir(exist_ok=True)
            (etc / "sudoers.d" / "test").write_text(f"{sudo}\n")
            (etc / "sudoers.d" / "test").chmod(0o440)
        folders["/var/tmp"].chmod(0o1777)
        (folders["/run"] / "sshd").mkdir(mode=0o755)
        if systemd:
            (folders["/run"] / "systemd/system").mkdir(parents=True)
        for name, owner in (("homes/pi", 7001), ("srv/skin-edge", 7002)):
            (root / name).mkdir(mode=0o700)
            os.chown(root / name, owner, owner)
        self._tool("systemctl", SYSTEMCTL)
        real = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        says = f'case "$*" in *libc_ver*) echo "{python}"; exit ;; esac\n' if python is not None else ""
        # Not to be met by what the tests' own environment says of Python.
        python_file = root / "python3"
        python_file.write_text(f'#!/bin/sh\n{says}exec {real} "$@"\n')
        python_file.chmod(0o755)
        home = "/root" if user == "root" else f"/home/{user}"
        env = {
            "HOME": home, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SKIN_EDGE_HOME": None, "XDG_CONFIG_HOME": None, "XDG_CACHE_HOME": None, "PYTHONPATH": None,
        }  # fmt: skip
        script = root / "enter.sh"
        super().__init__(
            root, Path("/etc/authorized_key"), inside=("unshare", "--mount", "sh", str(script)), env=env,
            options=options, port=port, user=user,
        )  # fmt: skip
        disk = f"mount -t tmpfs -o size={room_mb}m tmpfs /opt\n" if room_mb is not None else ""
        script.write_text(f'set -e\n{self._mounts(root, python_file)}{disk}exec "$@"\n')

    def at(self, path: str) -> Path:
        """Where a path of the device is, seen from here."""
        for own, folder in self._folders.items():
            if path == own or path.startswith(f"{own}/"):
                return folder / path[len(own) + 1 :]
        raise ValueError(path)

    def release(self) -> str | None:
        """The identity of the release in use."""
        link = self.at("/opt/skin-edge/current")
        return link.readlink().name if link.is_symlink() else None

    def current(self) -> str | None:
        """The model in use; None for the one that is shipped."""
        link = self.at(f"{STATE}/models/current")
        return str(link.readlink()) if link.is_symlink() else None

    def uploads(self) -> list[str]:
        """Names of what is left of uploads."""
        return sorted(path.name for path in self.at("/var/tmp").glob("skin-edge-*/*"))

    def as_pi(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command there as the account `pi`, without a terminal."""
        assert self._process is not None
        inside = ["nsenter", f"--mount=/proc/{self._process.pid}/ns/mnt", "runuser", "-u", "pi", "--", *words]
        return subprocess.run(
            inside, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True
        )

    def told(self) -> list[str]:
        """What the services were told."""
        calls = self.at("/opt/calls")
        return calls.read_text().splitlines() if calls.exists() else []

    def _tool(self, name: str, text: str) -> None:
        path = self.at("/usr/local/bin") / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def _mounts(self, root: Path, python: Path) -> str:
        lines = [f"mount --bind '{python}' /usr/bin/python3"]
        home = Path("/root")
        if Path(sys.base_prefix).is_relative_to(home):
            # Python lies in a home that only root may enter: others see nothing of it but Python.
            tools = home / Path(sys.base_prefix).relative_to(home).parts[0]
            (root / "root" / tools.name).mkdir(parents=True)
            lines += [
                f"mount --bind '{tools}' '{root}/root/{tools.name}'",
                f"mount --rbind '{root}/root' /root",
            ]
        lines += [f"mount --bind '{folder}' {path}" for path, folder in self._folders.items()]
        return "".join(f"{line}\n" for line in lines)
