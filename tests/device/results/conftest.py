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


@pytest.fixture
def run_on_tmpfs(tmp_path: Path) -> Runner:
    """Return a function that runs a Python script in a mount namespace with a tmpfs of its own.

    The script finds the tmpfs in `sys.argv[1]`; its standard output is returned.
    """
    mount_point = tmp_path / "tmpfs"
    mount_point.mkdir()
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    mount = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift && exec "$@"'

    def command(size: str, *arguments: str) -> list[str]:
        return [*unshare, "sh", "-c", mount.replace('"$2"', f"'{mount_point}'"), "sh", size, *arguments]

    try:
        probe = subprocess.run(command("64k", "true"), capture_output=True, text=True, timeout=30)
        failure = probe.stderr.strip() if probe.returncode else ""
    except FileNotFoundError as error:
        failure = str(error)
    if failure:
        pytest.skip(f"no tmpfs can be mounted here, so a full disk cannot be tried: {failure}")

    def run(script: str, *, size: str = "512k") -> str:
        finished = subprocess.run(
            command(size, sys.executable, "-c", script, str(mount_point)),
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(HERE)},
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run
