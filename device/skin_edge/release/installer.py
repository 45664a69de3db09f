#!/usr/bin/env python3
"""Install a release of skin-edge on a device that has no internet, and go back where it does not work.

    tar -xf skin-edge-ID.skinrelease && sudo python3 skin-edge-ID/install.py

    PREFIX/releases/ID/        a virtual environment each, whole once it holds .complete
    PREFIX/current             link to the one in use
    PREFIX/previous            link to the one before
    PREFIX/activation.json     a switch that is not confirmed yet, and how to undo it
    PREFIX/.lock               held by whoever changes any of it

Stands alone, on Python's own library: on a bare device there is nothing else. Settings, results and models
are elsewhere and are not touched.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

SCHEMA = 1
PREFIX = Path("/opt/skin-edge")
COMMAND = Path("/usr/local/bin/skin-edge")
COMPLETE = ".complete"
KEEP = 3
#: Making an environment and unpacking 80 MB of wheels takes minutes on an SD card.
STEP_TIMEOUT_S = 1800.0
HEALTH_TIMEOUT_S = 300
#: Unpacked, compiled wheels and a margin.
NEEDED_BYTES = 500_000_000

EXIT_USAGE, EXIT_FAILED = 2, 6


class InstallError(Exception):
    """The release was not installed, or not put to use; one line says why and what is in use."""

    def __init__(self, message: str, status: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.status = status


def sha256_of(stream: IO[bytes]) -> str:
    """Return the SHA-256 (hex) of what is left in a stream."""
    digest = hashlib.sha256()
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


class Releases:
    """The releases below a prefix."""

    def __init__(self, prefix: Path, *, service: bool, say: Any = lambda _: None) -> None:
        self.prefix = prefix
        self.service = service
        self.say = say

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold them alone, and first tidy up what was cut short.

        Raises:
            InstallError: another installation runs.
        """
        (self.prefix / "releases").mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(
            self.prefix / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InstallError(
                    f"{self.prefix}: another installation runs; wait until it has ended"
                ) from None
            self.recover()
            yield
        finally:
            os.close(descriptor)

    def recover(self) -> None:
        """Undo a switch that was cut short, and delete releases that are not whole."""
        journal = self.prefix / "activation.json"
        if journal.exists():
            before = json.loads(journal.read_text(encoding="utf-8"))
            self._restore(before["current"], before["previous"])
        for release in (self.prefix / "releases").iterdir():
            if not (release / COMPLETE).exists():
                shutil.rmtree(release)

    def current(self) -> str | None:
        """Return the identity of the release in use."""
        return self._target("current")

    def install(self, source: Path) -> str:
        """Make the release in the unpacked folder `source` whole on disk, and return its identity.

        Raises:
            InstallError: it is altered, for another kind of machine, or cannot be installed.
        """
        release = read_release(source)
        identity: str = release["identity"]
        home = self.prefix / "releases" / identity
        if (home / COMPLETE).exists():
            self.say(f"{identity} is installed already")
            return identity
        free = shutil.disk_usage(self.prefix).free
        if free < NEEDED_BYTES:
            raise InstallError(
                f"{self.prefix}: {free // 1_000_000} MB free, {NEEDED_BYTES // 1_000_000} are needed"
            )
        try:
            self._build(source, home, system_site_packages=release["system_site_packages"])
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise
        return identity

    def _build(self, source: Path, home: Path, *, system_site_packages: bool) -> None:
        self.say("making its environment")
        # Without pip, which Debian keeps in python3-venv: the release brings its own.
        flags = ["--system-site-packages"] if system_site_packages else []
        run([sys.executable, "-m", "venv", "--without-pip", *flags, str(home)], "making an environment")
        python = home / "bin" / "python"
        wheels = source / "wheels"
        (pip,) = wheels.glob("pip-*.whl")
        self.say("installing its wheels")
        run(
            [str(python), f"{pip}/pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
             "--no-index", "--find-links", str(wheels), "--require-hashes", "--ignore-installed",
             "--requirement", str(source / "requirements.txt")],
            "installing the wheels",
        )  # fmt: skip
        self.say("classifying its golden vectors")
        run(
            [str(home / "bin" / "skin-edge"), "model", "verify", str(self._shipped(python))],
            "proving the model",
        )
        os.sync()  # thousands of files; fsync one by one would take longer
        with (home / COMPLETE).open("w", encoding="utf-8") as stream:
            stream.flush()
            os.fsync(stream.fileno())
        _fsync(home)
        _fsync(home.parent)

    @staticmethod
    def _shipped(python: Path) -> str:
        code = "from skin_edge.model.locate import default_bundle_path; print(default_bundle_path())"
        return run([str(python), "-I", "-c", code], "finding the shipped model").strip()

    def activate(self, identity: str) -> bool:
        """Put an installed release to use; False where it was already.

        Raises:
            InstallError: it is not installed, or the service does not get healthy with it; what was in use
                before is in use again.
        """
        home = self.prefix / "releases" / identity
        if "/" in identity or not (home / COMPLETE).exists():
            raise InstallError(
                f"{identity}: not installed; there are: {', '.join(self.installed()) or 'none'}", EXIT_USAGE
            )
        before, previous = self.current(), self._target("previous")
        if before == identity:
            return False
        write_durably(
            self.prefix / "activation.json",
            json.dumps({"current": before, "previous": previous, "trial": identity}),
        )
        try:
            self._link("previous", before)
            self._link("current", identity)
            self._start_service()
        except BaseException as error:
            self._restore(before, previous)
            if isinstance(error, InstallError):
                raise InstallError(
                    f"{identity}: not put to use: {error}; in use: {before or 'none'}"
                ) from error
            raise
        self._confirm()
        return True

    def rollback(self) -> str:
        """Put the release to use that was in use before.

        Raises:
            InstallError: there is none, or as `activate`.
        """
        previous = self._target("previous")
        if previous is None:
            raise InstallError("no other release has been in use here", EXIT_USAGE)
        self.activate(previous)
        return previous

    def installed(self) -> list[str]:
        """Return what is installed, the oldest first."""
        whole = [path for path in (self.prefix / "releases").iterdir() if (path / COMPLETE).exists()]
        return [path.name for path in sorted(whole, key=lambda path: (path / COMPLETE).stat().st_mtime_ns)]

    def prune(self, keep: int) -> list[str]:
        """Delete the oldest above `keep`, never one that is in use or was before; return which."""
        linked = {self.current(), self._target("previous")}
        spare = [name for name in self.installed() if name not in linked]
        gone = spare[: max(0, len(spare) + len(linked - {None}) - keep)]
        for name in gone:
            (self.prefix / "releases" / name / COMPLETE).unlink()  # a cut leaves what recover() deletes
            shutil.rmtree(self.prefix / "releases" / name)
        return gone

    def _start_service(self) -> None:
        """Have the release in use serve: its units, its service, one classified frame."""
        if not self.service:
            return
        program = str(self.prefix / "current" / "bin" / "skin-edge")
        self.say("installing its service")
        run([program, "service", "install", "--executable", program], "installing the service")
        run(["systemctl", "restart", "skin-edge.service"], "starting the service")
        self.say("waiting for a classified frame")
        run(
            [program, "service", "wait", "--timeout", str(HEALTH_TIMEOUT_S)], "waiting for a classified frame"
        )

    def _restore(self, current: str | None, previous: str | None) -> None:
        self._link("current", current)
        self._link("previous", previous)
        if self.service and current is not None:
            try:
                self._start_service()
            except InstallError as error:
                self.say(f"the service is not healthy with {current} either: {error}")
        self._confirm()

    def _confirm(self) -> None:
        (self.prefix / "activation.json").unlink(missing_ok=True)
        _fsync(self.prefix)

    def _target(self, link: str) -> str | None:
        try:
            return Path(os.readlink(self.prefix / link)).name  # noqa: PTH115 - the text, not where it leads
        except FileNotFoundError:
            return None

    def _link(self, link: str, identity: str | None) -> None:
        path = self.prefix / link
        if identity is None:
            path.unlink(missing_ok=True)
        else:
            temporary = self.prefix / f".{link}.part"
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(Path("releases") / identity)
            temporary.replace(path)
        _fsync(self.prefix)


def read_release(source: Path) -> dict[str, Any]:
    """Return release.json of an unpacked release, after every file was checked and the machine fits.

    Raises:
        InstallError: a file is missing, altered or one too many, or the release is for another machine.
    """
    try:
        release: dict[str, Any] = json.loads((source / "release.json").read_text(encoding="utf-8"))
        files: dict[str, Any] = release["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallError(f"{source}: not an unpacked release: {error}") from None
    if release.get("schema") != SCHEMA:
        raise InstallError(f"{source}: schema {release.get('schema')}, this installer knows {SCHEMA}")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if (release["python"], release["machine"]) != (here, platform.machine()):
        raise InstallError(
            f"{release['identity']} is for Python {release['python']} on {release['machine']}, "
            f"this is {here} on {platform.machine()}: gather one for this machine",
            EXIT_USAGE,
        )
    there = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    strange = sorted(there ^ {*files, "release.json"})
    if strange:
        raise InstallError(f"{source}: {strange[0]} is missing or does not belong there")
    for name, entry in files.items():
        path = source / name
        if path.is_symlink() or path.stat().st_size != entry["size_bytes"]:
            raise InstallError(f"{path}: damaged or altered: copy the release again")
        with path.open("rb") as stream:
            if sha256_of(stream) != entry["sha256"]:
                raise InstallError(f"{path}: damaged or altered: copy the release again")
    return release


def run(command: list[str], doing: str) -> str:
    """Return what a program prints.

    Raises:
        InstallError: it failed; its last line.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_", "SKIN_EDGE"))}
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False,
            timeout=STEP_TIMEOUT_S, env=environment, cwd="/",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{doing}: {error}") from None
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise InstallError(
            f"{doing}: status {done.returncode}: {said[-1].strip()[:300] if said else 'not a word'}"
        )
    return done.stdout


def write_durably(path: Path, text: str) -> None:
    """Write a small file that is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    _fsync(path.parent)


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main(argv: list[str] | None = None) -> int:
    """Install the release that this file lies in, or look after those that are installed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", nargs="?", default="install", choices=("install", "list", "rollback", "recover")
    )
    parser.add_argument("--prefix", type=Path, default=PREFIX, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--no-service", action="store_true", help="leave systemd and /usr/local/bin alone")
    parser.add_argument(
        "--keep", type=int, default=KEEP, metavar="N", help="releases kept; default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(argv)

    def say(text: str) -> None:
        print(f"skin-edge: {text}", file=sys.stderr, flush=True)  # noqa: T201

    releases = Releases(options.prefix, service=not options.no_service, say=say)
    told: dict[str, Any] = {}
    status = 0
    try:
        if releases.service and os.geteuid() != 0:
            raise InstallError("only root may install releases: put sudo before it", EXIT_USAGE)
        with releases.locked():
            if options.what == "install":
                told["installed"] = releases.install(Path(__file__).resolve().parent)
                told["activated"] = releases.activate(told["installed"])
                told["removed"] = releases.prune(options.keep)
                if releases.service:
                    put_on_path(options.prefix)
            elif options.what == "rollback":
                releases.rollback()
            told |= {"current": releases.current(), "releases": releases.installed()}
    except (InstallError, OSError) as error:
        status = error.status if isinstance(error, InstallError) else EXIT_FAILED
        told["error"] = {"code": "release", "message": str(error)}
        say(str(error))
    if options.json:
        print(json.dumps(told))  # noqa: T201
    elif not status:
        for name in told["releases"]:
            print(f"{name}{'  in use' if name == told['current'] else ''}")  # noqa: T201
    return status


def put_on_path(prefix: Path, command: Path = COMMAND) -> None:
    """Make `skin-edge` a command of the device, unless something else has that name already."""
    wanted = prefix / "current" / "bin" / "skin-edge"
    if command.is_symlink() and not str(os.readlink(command)).startswith(str(prefix)):  # noqa: PTH115
        return
    if command.exists() and not command.is_symlink():
        return
    temporary = command.with_name(f".{command.name}.part")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(wanted)
    temporary.replace(command)
    _fsync(command.parent)


def _script() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    _script()
