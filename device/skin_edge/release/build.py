"""Makes a release whole on the disk: an environment of its own, its wheels, its model proven."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from skin_edge.durable import fsync_directory
from skin_edge.errors import StorageError, UsageError
from skin_edge.faults import storage_faults
from skin_edge.release import programs
from skin_edge.release.archive import Opened
from skin_edge.release.manifest import REQUIREMENTS, WHEELS, Release, ReleaseError
from skin_edge.release.store import COMPLETE, ReleaseStore

Say = Callable[[str], None]

#: Bytes on the disk for each byte of the release file: the wheels as they are unpacked for pip, then
#: installed and compiled. Measured: docs/releases.md.
_UNPACKED: Final = 4.5
_MARGIN_BYTES: Final = 50_000_000


def install(store: ReleaseStore, opened: Opened, say: Say) -> str:
    """Make a release whole on the disk, and return its identity; the lock must be held.

    The same release again is left as it is.

    Raises:
        UsageError: it is for another kind of machine (``wrong-machine``).
        HealthError: it is altered, or cannot be installed here.
        StorageError: the disk does not take it.
    """
    release = opened.release
    misfit = release.misfit()
    if misfit is not None:
        raise UsageError(f"{release.identity}: {misfit}", code="wrong-machine")
    home = store.releases / release.identity
    if (home / COMPLETE).exists():
        say(f"{release.identity} is installed already")
        return release.identity
    _require_room(store.prefix, release)
    with storage_faults(store.prefix, f"install {release.identity}"), store.staging() as folder:
        say("checking its files")
        opened.extract(folder)
        if home.exists():
            shutil.rmtree(home)  # in use, and not whole any more: tidy() leaves it
        try:
            _make(folder, home, release, say)
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise
    return release.identity


def needed_bytes(release: Release) -> int:
    """Return how many bytes an installation takes while it runs."""
    return round(release.size_bytes * _UNPACKED) + _MARGIN_BYTES


def _require_room(prefix: Path, release: Release) -> None:
    free, needed = shutil.disk_usage(prefix).free, needed_bytes(release)
    if free < needed:
        raise StorageError(
            f"{prefix}: {free // 1_000_000} MB free, {needed // 1_000_000} MB are needed: free room on it",
            code="storage-full",
        )


def _make(source: Path, home: Path, release: Release, say: Say) -> None:
    say("making its environment")
    # Without pip, which Debian keeps in python3-venv: the release brings its own.
    flags = ["--system-site-packages"] if release.system_site_packages else []
    programs.run([sys.executable, "-m", "venv", "--without-pip", *flags, str(home)], "making an environment")
    python, wheels = home / "bin" / "python", source / WHEELS
    found = sorted(wheels.glob("pip-*.whl"))
    if not found:
        raise ReleaseError(f"{release.identity}: no pip in it: gather it again")
    say("installing its wheels")
    programs.run(
        [str(python), f"{found[0]}/pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
         "--no-cache-dir", "--no-index", "--find-links", str(wheels), "--require-hashes",
         "--ignore-installed", "--requirement", str(source / REQUIREMENTS)],
        "installing the wheels",
    )  # fmt: skip
    say("classifying its golden vectors")
    code = "from skin_edge.model.locate import default_bundle_path; print(default_bundle_path())"
    shipped = programs.run([str(python), "-I", "-c", code], "finding the shipped model").strip()
    programs.run([str(home / "bin" / "skin-edge"), "model", "verify", shipped], "proving the model")
    os.sync()  # thousands of files; fsync one by one would take longer
    descriptor = os.open(home / COMPLETE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fsync_directory(home)
    fsync_directory(home.parent)
