"""An emulated arm64 machine: boot it, run commands over SSH, copy files, cut its power, boot it again.

`make vm` builds its disk and kernel; every `Machine` writes to a layer of its own over them, so that nothing
a test does outlives it. The guest reaches nothing, and only this host's loopback reaches the guest.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from built import Build, MachineError

BOOT_TIMEOUT_S = 600.0  # 20 s on idle cores
#: For the handshake too, which an emulated processor on a busy host takes half a minute for.
CONNECT_TIMEOUT_S = 90.0
COMMAND_TIMEOUT_S = 120.0
_SERIAL_TAIL_LINES = 30
_POLL_S = 0.5
_FIRST_PATIENCE_S = 10.0

log = logging.getLogger(__name__)


class Machine:
    """One machine with a disk of its own. A context manager: leaving it cuts the power.

    Args:
        folder: an empty folder for the disk's layer and the console log; kept when the machine is gone.
        build: what to boot; None for what `make vm` built last.
    """

    def __init__(self, folder: Path, build: Build | None = None) -> None:
        self.folder = folder
        self.build = build or Build.find()
        self.port = 0
        self.serial_log = folder / "serial.log"
        self._disk = folder / "disk.qcow2"
        self._qemu: subprocess.Popen[bytes] | None = None
        # One connection that root's commands share: an emulated processor takes seconds for a handshake.
        self._shared: subprocess.Popen[bytes] | None = None
        self._sockets = tempfile.TemporaryDirectory(prefix="skin-edge-vm-")
        # Shared locks, by which a new `make vm` knows what not to remove.
        self._held = [_hold(path) for path in (self.build.image.parent, self.build.kernel.parent)]
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", self.build.image, self._disk],
            check=True,
        )

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut_power()
        self._sockets.cleanup()
        while self._held:
            os.close(self._held.pop())

    @property
    def running(self) -> bool:
        """Whether the machine has power."""
        return self._qemu is not None and self._qemu.poll() is None

    def boot(self, timeout_s: float = BOOT_TIMEOUT_S) -> float:
        """Switch the machine on, wait until it takes SSH commands, and return how many seconds that took.

        Raises:
            MachineError: it was on already, or did not answer in time; its power is cut then.
        """
        if self.running:
            raise MachineError("the machine is on already")
        started = time.monotonic()
        self.port = _free_port()
        with (self.folder / "qemu.log").open("ab") as said:
            self._qemu = subprocess.Popen(
                self._qemu_command(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        try:
            self._wait_for_ssh(started + timeout_s)
        except BaseException:
            self.cut_power()
            raise
        quiet = subprocess.DEVNULL
        options = ["-M", "-N", "root@127.0.0.1"]
        self._shared = subprocess.Popen(
            [*self._ssh_command("root")[:-2], *options], stdin=quiet, stdout=quiet, stderr=quiet
        )
        took_s = time.monotonic() - started
        log.info("booted in %.0f s", took_s)
        return took_s

    def cut_power(self) -> None:
        """Take the power away, unannounced: what the guest had not flushed to its disk is lost."""
        if self._qemu is None:
            return
        self._qemu.send_signal(signal.SIGKILL)
        self._qemu.wait()
        self._off()

    def shut_down(self, timeout_s: float = 120.0) -> None:
        """Shut the machine down as a person would, and wait until it is off.

        Raises:
            MachineError: it was still on after `timeout_s`.
        """
        if self._qemu is None:
            return
        self.ssh("systemctl poweroff", check=False)
        try:
            self._qemu.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise MachineError(f"still on {timeout_s:.0f} s after poweroff\n{self.serial_tail()}") from None
        self._off()

    def _off(self) -> None:
        self._qemu = None
        if self._shared is not None:
            self._shared.kill()
            self._shared.wait()
            self._shared = None

    def ssh(
        self,
        command: str,
        *,
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        user: str = "root",
        stdin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the machine and return what it printed.

        Args:
            command: one line for the login shell of `user`.
            timeout_s: when to give up, in seconds.
            check: raise where the command fails.
            user: `root`, or `clinic`, who may use sudo.
            stdin: text to feed it.

        Raises:
            MachineError: the command failed and `check` is set, or it took too long.
        """
        try:
            done = subprocess.run(
                [*self._ssh_command(user), command],
                timeout=timeout_s,
                capture_output=True,
                encoding="utf-8",
                input=stdin if stdin is not None else "",
            )
        except subprocess.TimeoutExpired as error:
            raise MachineError(
                f"{command!r} took longer than {timeout_s:.0f} s\n{_text(error.stderr)}\n{self.serial_tail()}"
            ) from None
        if check and done.returncode != 0:
            raise MachineError(f"{command!r} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, command: str, *, user: str = "root") -> subprocess.Popen[str]:
        """Start a shell command in the machine and return at once; its output is in the process's pipes.

        Ending the returned process does not end the command in the machine.
        """
        return subprocess.Popen(
            [*self._ssh_command(user), command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def copy_in(self, local: Path, remote: str) -> None:
        """Copy a file or a folder's content to `remote` (an absolute path), and flush it to the disk."""
        source = f"{local}/" if local.is_dir() else str(local)
        self._rsync(source, f"root@127.0.0.1:{remote}")
        self.ssh("sync")

    def copy_out(self, remote: str, local: Path) -> None:
        """Copy a file, or with a slash at its end a folder's content, from the machine to `local`."""
        self._rsync(f"root@127.0.0.1:{remote}", str(local))

    def serial_tail(self, lines: int = _SERIAL_TAIL_LINES) -> str:
        """Return the last lines of the console: kernel messages, systemd's, and why a boot failed."""
        try:
            text = self.serial_log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            text = ""
        tail = "\n".join(text.splitlines()[-lines:]) or "(nothing)"
        return f"--- end of {self.serial_log}:\n{tail}"

    def _rsync(self, source: str, target: str) -> None:
        remote_shell = shlex.join(self._ssh_command("root")[:-2])  # rsync adds user, host and command
        done = subprocess.run(
            ["rsync", "-a", "--mkpath", "-e", remote_shell, source, target],
            capture_output=True,
            encoding="utf-8",
            timeout=600.0,
        )
        if done.returncode != 0:
            raise MachineError(f"copying {source} to {target} failed: {done.stderr.strip()}")

    def _ssh_command(self, user: str) -> list[str]:
        options = {
            "BatchMode": "yes",
            "ControlPath": f"{self._sockets.name}/%r-%p",
            "ConnectTimeout": f"{CONNECT_TIMEOUT_S:.0f}",
            "HostKeyAlias": "skin-edge-vm",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
            "ServerAliveInterval": "15",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.build.known_hosts),
        }
        told = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return [
            "ssh",
            "-F",
            "none",
            "-i",
            str(self.build.key),
            "-p",
            str(self.port),
            *told,
            f"{user}@127.0.0.1",
            "--",
        ]

    def _qemu_command(self) -> list[str]:
        parts: dict[str, str | None] = {
            "-M": "virt",
            "-cpu": "cortex-a72",
            "-smp": "2",
            "-m": "2048",
            "-accel": "tcg,thread=multi",
            "-kernel": str(self.build.kernel),
            "-initrd": str(self.build.initrd),
            "-append": "console=ttyAMA0 panic=5 quiet loglevel=4",
            "-drive": f"file={self._disk},format=qcow2,if=none,id=d0,cache=writeback",
            # restrict: the guest sends nothing beyond this host, not even to its loopback.
            "-netdev": f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22",
            "-chardev": f"file,id=s0,path={self.serial_log},append=on",
            "-serial": "chardev:s0",
            "-display": "none",
            "-monitor": "none",
        }
        command = [
            "qemu-system-aarch64",
            *(part for pair in parts.items() for part in pair if part is not None),
        ]
        for device in ("virtio-blk-device,drive=d0", "virtio-net-device,netdev=n0", "virtio-rng-device"):
            command += ["-device", device]
        return [*command, "-nodefaults", "-no-reboot"]

    def _wait_for_ssh(self, deadline: float) -> None:
        said, patience_s = "", _FIRST_PATIENCE_S
        while time.monotonic() < deadline:
            if not self.running:
                log = (self.folder / "qemu.log").read_text(encoding="utf-8", errors="replace")
                raise MachineError(f"qemu ended by itself: {log.strip()}\n{self.serial_tail()}")
            try:
                done = self.ssh("true", timeout_s=patience_s, check=False)
            except MachineError as error:
                said = str(error)
                # A try that began before the guest had a network hangs; one on a busy host takes long.
                patience_s = min(2 * patience_s, CONNECT_TIMEOUT_S)
            else:
                if done.returncode == 0:
                    return
                said = done.stderr.strip()
            time.sleep(_POLL_S)
        raise MachineError(f"no SSH in time; ssh said last: {said}\n{self.serial_tail()}")


def _hold(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _free_port() -> int:
    """Return a port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _text(output: str | bytes | None) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else output or ""
