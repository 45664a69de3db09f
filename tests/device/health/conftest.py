"""What the tests of the machine's health share."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skin_edge.config import Config
from skin_edge.health.checks.check import Context
from skin_edge.health.platform import Platform

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # `recorded_machines`

MakeContext = Callable[..., Context]
NOBODY = 65534


@pytest.fixture
def make_context(tmp_path: Path) -> MakeContext:
    """Make what a check is given: `make_context(source="demo", root=..., state_dir=...)`."""

    def make(*, root: Path = tmp_path / "empty-root", **changes: Any) -> Context:
        with Platform(root) as platform:
            readings = platform.read()
        values = {
            "settings": Config(),
            "config_path": None,
            "config_error": None,
            "source": "demo",
            "state_dir": tmp_path / "state",
            "readings": readings,
            "root": root,
        }
        return Context(**(values | changes))

    return make


@pytest.fixture
def as_somebody_else() -> Callable[[Callable[[], Any]], Any]:
    """Return a function that calls another as a user whom file modes stop; root is stopped by none."""

    def call(function: Callable[[], Any]) -> Any:
        if os.geteuid() != 0:
            return function()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                answer: Any = function()
            except BaseException as error:  # noqa: BLE001 - raised again in the parent
                answer = error
            os.write(writing, pickle.dumps(answer))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            answer = pickle.loads(stream.read())
        os.waitpid(pid, 0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return call


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="skin-edge-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def run_on_mount(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a shell script with a tmpfs of its own, mounted at `$STATE`.

    `run_on_mount(options, script)`: `options` are those of the mount; in the script `$PYTHON` is this one.
    """
    mount_point = tmp_path / "mount"
    mount_point.mkdir()
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    environment = {**os.environ, "STATE": str(mount_point), "PYTHON": sys.executable}

    def run(options: str, script: str) -> subprocess.CompletedProcess[str]:
        mount = f'mount -t tmpfs -o "{options}" tmpfs "$STATE" && {{ {script}\n}}'
        return subprocess.run(
            [*unshare, "sh", "-c", mount], env=environment, capture_output=True, text=True, timeout=120
        )

    try:
        probe = run("size=64k", "true")
    except FileNotFoundError as error:
        pytest.skip(f"no tmpfs can be mounted here: {error}")
    if probe.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {probe.stderr.strip()}")
    return run
