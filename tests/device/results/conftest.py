"""What the tests of the results log share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # `sample_records` serves the tests and the processes that they start

Runner = Callable[..., str]

_WITH_SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@pytest.fixture
def script_env() -> dict[str, str]:
    """Environment in which a started Python finds `sample_records`, and all that this one finds."""
    found = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(found)}


@pytest.fixture
def run_on_disk(tmp_path: Path, script_env: dict[str, str]) -> Runner:
    """Return a function that runs a Python script in a mount namespace with a small file system of its own.

    `kind` is ``tmpfs``, or ``ext4`` on a loop device; the script finds it mounted at `sys.argv[1]`. Its
    standard output is returned.
    """
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]

    def command(kind: str, size_kib: int, *arguments: str) -> list[str]:
        mount = f"mount -t tmpfs -o size={size_kib}k tmpfs '{mount_point}'"
        if kind == "ext4":
            mount = f"mount -o loop '{_ext4(tmp_path, size_kib)}' '{mount_point}'"
        return [*unshare, "sh", "-c", f'{mount} && exec "$@"', "sh", *arguments]

    def run(script: str, *, kind: str = "tmpfs", size_kib: int = 512) -> str:
        try:
            probe = subprocess.run(
                command(kind, size_kib, "true"), capture_output=True, text=True, timeout=30
            )
            failure = probe.stderr.strip() if probe.returncode else ""
        except FileNotFoundError as error:
            failure = str(error)
        if failure:
            pytest.skip(f"no {kind} can be mounted here, so a full disk cannot be tried: {failure}")
        finished = subprocess.run(
            command(kind, size_kib, sys.executable, "-c", script, str(mount_point)),
            capture_output=True,
            text=True,
            timeout=240,
            env=script_env,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run


def _ext4(folder: Path, size_kib: int) -> Path:
    image = folder / f"ext4-{size_kib}.img"
    if not image.exists():
        make = ["mke2fs", "-q", "-t", "ext4", "-m", "0", image, f"{size_kib}k"]
        subprocess.run(make, check=True, capture_output=True, env={**os.environ, "PATH": _WITH_SBIN})
    return image


@pytest.fixture
def run_on_tmpfs(run_on_disk: Runner) -> Runner:
    """`run_on_disk` with half a megabyte of tmpfs."""
    return run_on_disk
