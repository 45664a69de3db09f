"""The emulated machine for its tests, with the wheel of this tree installed in it.

These tests take minutes and need what `make vm` builds, so they run only where they are asked for by path,
as `make test-vm` does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from built import ROOT  # noqa: E402
from installation import install  # noqa: E402
from machine import Machine  # noqa: E402

TEST_TIMEOUT_S = 1800


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip this folder's tests unless the command line names the folder or something in it."""
    named = [Path(arg.partition("::")[0]).resolve() for arg in config.args]
    asked_for = any(path == HERE or HERE in path.parents for path in named)
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))
        if not asked_for:
            item.add_marker(pytest.mark.skip(reason="boots an emulated machine: run make test-vm"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT],
        check=True,
    )
    (built,) = folder.glob("skin_edge-*.whl")
    return built


@pytest.fixture(scope="session")
def _installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        machine.boot()
        install(machine, wheel)
        yield machine


@pytest.fixture
def machine(_installed: Machine) -> Machine:
    """A machine that is on and has `skin-edge`, shared by all tests: use a SKIN_EDGE_HOME of your own."""
    if not _installed.running:
        _installed.boot()
    return _installed
