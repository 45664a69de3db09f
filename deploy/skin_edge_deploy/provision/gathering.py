"""A release for a kind of device, gathered when a host asks for it, and kept until skin-edge changes.

    ~/.cache/skin-edge/releases/TARGET-KEY/skin-edge-ID.skinrelease

KEY is a hash of the checkout that the wheel of skin-edge is built from: another source, another release.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from skin_edge.errors import HealthError, UsageError
from skin_edge.model.manifest import one_line
from skin_edge.release.archive import SUFFIX

#: Of a checkout: what a wheel is built from, or what decides on what else is gathered.
_SOURCES: Final = ("pyproject.toml", "README.md", "LICENSE", "device", "host_training", "deploy", "systemd")
_KEPT: Final = 2
_POLL_S: Final = 0.2
#: Not `-m`: the command as it is installed here, from whichever checkout this runs.
_PROGRAM: Final = "from skin_edge.cli.main import console_script; console_script()"


def checkout() -> Path:
    """Return the checkout that this runs from.

    Raises:
        UsageError: it runs from none.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "pyproject.toml").is_file():
        raise UsageError(
            "no checkout to gather a release from: gather it where there is one, then --release FILE",
            code="no-release",
        )
    return root


def key_of(root: Path) -> str:
    """Return a short hash of all that a release of the checkout `root` depends on."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = root / name
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(root)}\0".encode("utf-8", "surrogateescape"))
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Return the user's folder of gathered releases."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if named.startswith("/") else Path("~/.cache").expanduser()
    return base / "skin-edge" / "releases"


class Gatherer:
    """Gathers once for all hosts of a target, and in all runs of `skin-edge deploy` one at a time.

    Args:
        say: told what is being done, where no host's line shows it.
    """

    def __init__(self, say: Callable[[str], None] = lambda _: None) -> None:
        self._say = say
        self._turns: dict[str, asyncio.Lock] = {}
        self._key: str | None = None

    def kept(self, target: str) -> Path | None:
        """Return the release for a target that is kept from before; None where there is none."""
        return next(iter(sorted(self._home(target).glob(f"*{SUFFIX}"))), None)

    async def release_for(self, target: str, tell: Callable[[str], None]) -> Path:
        """Return the release for a target, gathered where none is kept.

        Args:
            target: as `skin-edge wheelhouse --target` takes it.
            tell: told what is being done, for the host that asks.

        Raises:
            UsageError: there is no checkout, or no uv.
            HealthError: a wheel is not to be had (``wheelhouse``).
        """
        async with self._turns.setdefault(target, asyncio.Lock()):
            tell(f"waiting for a release for {target}")
            async with _alone(cache_folder(), target):
                found = self.kept(target)
                if found is None:
                    self._say(f"gathering a release for {target}")
                    found = await self._gather(target, tell)
                return found

    def _home(self, target: str) -> Path:
        self._key = self._key or key_of(checkout())
        return cache_folder() / f"{target}-{self._key}"

    async def _gather(self, target: str, tell: Callable[[str], None]) -> Path:
        home = self._home(target)
        with tempfile.TemporaryDirectory(prefix=f".{target}-", dir=home.parent) as scratch:
            out = Path(scratch) / "out"
            await _wheelhouse(target, out, lambda line: tell(f"gathering: {line}"))
            (made,) = out.glob(f"*{SUFFIX}")
            shutil.rmtree(home, ignore_errors=True)
            out.rename(home)
        self._prune(target)
        return home / made.name

    def _prune(self, target: str) -> None:
        """Delete the oldest releases for a target: each is large, and of a checkout that has changed."""
        homes = sorted(
            cache_folder().glob(f"{target}-*"), key=lambda path: path.stat().st_mtime_ns, reverse=True
        )
        for home in homes[_KEPT:]:
            shutil.rmtree(home, ignore_errors=True)


async def _wheelhouse(target: str, out: Path, tell: Callable[[str], None]) -> None:
    """Run `skin-edge wheelhouse` as a process that Ctrl-C ends with all that it started."""
    words = ("-c", _PROGRAM, "wheelhouse", "--target", target, "--out", str(out), "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    last = "it failed without a word"
    try:
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        async for line in process.stderr:
            said = one_line(line.decode("utf-8", "replace")).removeprefix("skin-edge: ")
            last = said or last
            tell(said)
        status = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()
        raise
    if status:
        raise HealthError(f"gathering a release for {target}: {last}", code="wheelhouse")


@contextlib.asynccontextmanager
async def _alone(folder: Path, target: str) -> AsyncIterator[None]:
    """Hold the cache of a target alone among all processes of this user."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / f".{target}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from None
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)
