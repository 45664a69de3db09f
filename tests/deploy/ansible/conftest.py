"""Four devices for all tests of the role: each test finds them new."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE))

from fleet import Fleet  # noqa: E402
from loopback import keygen  # noqa: E402

NAMES = ("one", "two", "three", "four")


@pytest.fixture(scope="session")
def _fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    # Short, for the path of ssh's control socket has a limit.
    home = tmp_path_factory.mktemp("f") / "w"
    home.mkdir()
    made = Fleet(home, keygen(home / "key"))
    for name in NAMES:
        made.add(name)
    yield made
    for host in made.hosts.values():
        host.stop()


@pytest.fixture
def fleet(_fleet: Fleet) -> Fleet:
    """Four devices with skin-edge and no model of their own."""
    _fleet.reset()
    return _fleet
