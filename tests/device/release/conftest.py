"""Small releases that are real: real pip, real environments, a skin-edge that does what a test tells it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # `small_device`

from skin_edge.ssh_signature import sign
from skin_edge_deploy.wheelhouse.gather import describe, pack
from skin_edge_deploy.wheelhouse.targets import this_machine
from small_wheels import complete, write_wheel

MakeRelease = Callable[..., Path]

#: Takes the orders of the installer; a file called `ill-VERSION` beside the prefix makes it unhealthy.
PROGRAM = """
import sys, pathlib
VERSION = {version!r}
PREFIX = pathlib.Path(sys.prefix).parents[1]
def main():
    words = sys.argv[1:]
    with (PREFIX.parent / "calls").open("a") as calls:
        calls.write(VERSION + " " + " ".join(words) + chr(10))
    if words[:2] == ["service", "install"]:
        (PREFIX.parent / "units").write_text(VERSION)
    if words[:2] == ["service", "uninstall"]:
        (PREFIX.parent / "units").unlink()
    if words[:2] == ["service", "wait"] and (PREFIX.parent / ("ill-" + VERSION)).exists():
        sys.exit("no frame was classified")
    print(VERSION)
"""
LOCATE = "import pathlib\ndef default_bundle_path(): return pathlib.Path(__file__).with_name('default')\n"


def make_wheel(folder: Path, version: str) -> Path:
    """A wheel called skin-edge with a console script of that name."""
    files = {
        "skin_edge/__init__.py": PROGRAM.format(version=version).encode(),
        "skin_edge/model/__init__.py": b"",
        "skin_edge/model/locate.py": LOCATE.encode(),
    }
    return write_wheel(folder, version, "skin_edge:main", files)


@pytest.fixture
def make_release(tmp_path: Path) -> MakeRelease:
    """Return a function that makes a release file of a version, signed where a key is given."""

    def make(version: str, key: Path | None = None) -> Path:
        folder = tmp_path / f"gathered-{version}"
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        own = make_wheel(wheels, version)
        complete(folder, own)
        describe(own, this_machine(), folder)
        if key is not None:
            sign(folder / "release.json", key)
        archive = tmp_path / f"{version}.skinrelease"
        pack(folder, archive)
        return archive

    return make
