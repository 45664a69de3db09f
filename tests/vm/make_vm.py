"""Builds the emulated arm64 machine, in stages that are kept: `make vm`.

Each stage is a script in `stages/` that fills a folder. The folder is named after the stage and a hash of all
that it depends on, and has another name until it is whole. So what is there is right, an interrupted build
goes on where it stopped, and a change builds anew only what follows from it. Standard library only, since it
runs before the project's tools are installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STAGES = HERE / "stages"
SUITE: Final = "bookworm"  # Python 3.11, as in the Raspberry Pi OS of that name
MIRROR: Final = "http://deb.debian.org/debian"  # what it gives is signed
IMAGE_SIZE: Final = "4G"  # sparse
#: Extras of the project that a device has.
EXTRAS: Final = "kiosk"
#: Where the machine has its virtual environment.
VENV_PATH: Final = "/opt/skin-edge-venv"
_SAID_WHERE_IT_FAILS_LINES: Final = 20

log = logging.getLogger("make vm")


class BuildError(RuntimeError):
    """The machine cannot be built, and why."""


class Builder:
    """Makes the stages of one machine in one folder.

    Args:
        vm_dir: where all is kept.
        mirror: address of a Debian mirror.
    """

    def __init__(self, vm_dir: Path, mirror: str) -> None:
        self.vm_dir = vm_dir
        self.mirror = mirror
        self._log_path = vm_dir / "build.log"

    def build(self) -> dict[str, str]:
        """Make what is missing, and return the name of each stage's folder by stage."""
        stage = self._stage
        packages = ",".join(word for word, *_ in read_table(HERE / "root_packages.txt"))
        root = stage("root", self.mirror, SUITE, packages, beside=(self.vm_dir / "downloads",))
        kernel = stage("kernel", self.mirror, SUITE, root, STAGES / "init")
        wheelhouse = stage(
            "wheelhouse", EXTRAS, ROOT / "pyproject.toml", beside=(sys.executable, ROOT), as_root=False
        )
        venv = stage("venv", root, wheelhouse, VENV_PATH)
        image = stage("image", root, kernel, wheelhouse, venv, HERE / "settings", VENV_PATH, IMAGE_SIZE)
        return {path.name.partition("-")[0]: path.name for path in (root, kernel, wheelhouse, venv, image)}

    def remove_all_but(self, names: set[str]) -> None:
        """Remove the folders of stages that belong to other builds, but for those that a machine runs on."""
        stages = {name.partition("-")[0] for name in names}
        for path in self.vm_dir.iterdir():
            if path.is_dir() and path.name.partition("-")[0] in stages and path.name not in names:
                self._remove_unless_held(path)

    def _remove_unless_held(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._run([*root_prefix(), "rm", "-rf", "--one-file-system", str(path)])
        except BlockingIOError:
            log.info("%s: a machine runs on it; kept", path.name)
        finally:
            os.close(descriptor)

    def _stage(
        self, name: str, *given: str | Path, beside: tuple[str | Path, ...] = (), as_root: bool = True
    ) -> Path:
        """Return the folder of a stage, filled by `stages/NAME.sh FOLDER GIVEN... BESIDE...` where need be.

        The stage depends on its script and on `given`, not on `beside`.
        """
        script = STAGES / f"{name}.sh"
        identities = [digest(script.read_bytes()), *(self._identity(part) for part in given)]
        folder = self.vm_dir / f"{name}-{digest(json.dumps(identities).encode())[:12]}"
        if folder.is_dir():
            log.info("%-10s  is there", name)
            return folder
        partial = folder.with_name(f"{folder.name}.part")
        prefix = root_prefix() if as_root else []
        started = time.monotonic()
        log.info("%-10s  ...", name)
        self._run([*prefix, "rm", "-rf", "--one-file-system", str(partial)])
        partial.mkdir()
        self._run([*prefix, "bash", str(script), str(partial), *map(str, given), *map(str, beside)])
        # A half-written image must not look whole after a power cut of this host either.
        self._run(["sync", "--file-system", str(partial)])
        partial.rename(folder)
        log.info("%-10s  made in %.0f s", name, time.monotonic() - started)
        return folder

    def _identity(self, given: str | Path) -> str:
        """Return what stands for an argument in the hash."""
        if isinstance(given, str):
            return given
        if given.parent == self.vm_dir:
            # Most changes of pyproject.toml change no wheel, and need no new image.
            wheels = given / "wheels"
            return ",".join(sorted(p.name for p in wheels.iterdir())) if wheels.is_dir() else given.name
        files = sorted(p for p in given.rglob("*") if p.is_file()) if given.is_dir() else [given]
        return digest(b"".join(f"{p.name} {digest(p.read_bytes())}\n".encode() for p in files))

    def _run(self, command: list[str]) -> None:
        with self._log_path.open("ab") as stream:
            stream.write(f"\n$ {' '.join(command)}\n".encode())
            stream.flush()
            begin = stream.tell()
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream).returncode
        if code == 0:
            return
        with self._log_path.open("rb") as stream:
            stream.seek(begin)
            said = stream.read().decode("utf-8", "replace").splitlines()
        log.error("%s", "\n".join(said[-_SAID_WHERE_IT_FAILS_LINES:]))
        raise BuildError(f"{' '.join(command[:4])} ... ended with {code}; all it said is in {self._log_path}")


def root_prefix() -> list[str]:
    """Return what to put before a command that needs root: nothing, or sudo."""
    return [] if os.geteuid() == 0 else ["sudo", "--"]


def digest(content: bytes) -> str:
    """Return the SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_table(path: Path) -> list[list[str]]:
    """Return the words of each line that is neither empty nor a comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [words for line in lines if (words := line.partition("#")[0].split())]


def check_packages() -> None:
    """Raise BuildError, naming the Debian packages whose program or file is not on this machine."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = [
        package
        for package, proof in read_table(HERE / "packages.txt")
        if not (Path(proof).exists() if proof.startswith("/") else shutil.which(proof, path=path))
    ]
    if os.geteuid() != 0 and not shutil.which("sudo"):
        missing.append("sudo")
    if missing:
        raise BuildError(f"needs the Debian packages {' '.join(missing)}; run: make vm-packages")


@contextmanager
def only_one(vm_dir: Path) -> Iterator[None]:
    """Hold the folder for one build; raises BuildError where another has it."""
    with (vm_dir / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError(f"{vm_dir}: another make vm is at work here") from None
        yield


def main() -> int:
    """Build the machine; return 0, or 1 with one line that says why not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dir", type=Path, default=ROOT / "cache" / "vm", help="where to build and keep it")
    parser.add_argument("--mirror", default=MIRROR, help="Debian mirror")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    started = time.monotonic()
    vm_dir = args.dir.resolve()
    try:
        check_packages()
        vm_dir.mkdir(parents=True, exist_ok=True)
        with only_one(vm_dir):
            builder = Builder(vm_dir, args.mirror)
            names = builder.build()
            current = vm_dir / "current.json"
            current.with_suffix(".part").write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
            current.with_suffix(".part").replace(current)
            builder.remove_all_but(set(names.values()))
    except BuildError as error:
        log.error("%s", error)
        return 1
    log.info("ready in %s after %.0f s", vm_dir, time.monotonic() - started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
