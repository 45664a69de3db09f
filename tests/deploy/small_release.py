"""Small releases: real installer, real environment, and a command that passes on to the real one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from loopback import BIN

from skin_edge.model.locate import default_bundle_path
from skin_edge_deploy.wheelhouse.gather import describe, pack
from skin_edge_deploy.wheelhouse.targets import this_machine
from small_wheels import complete, write_wheel

#: Notes down beside the prefix which release was told what.
PROGRAM = """
import os, pathlib, sys
BESIDE = pathlib.Path(sys.prefix).parents[2]
def main():
    with (BESIDE / "calls").open("a") as calls:
        calls.write({version!r} + " " + " ".join(sys.argv[1:3]) + chr(10))
    os.execv({real!r}, [{real!r}, *sys.argv[1:]])
"""
LOCATE = "def default_bundle_path(): return {bundle!r}\n"


def make_release(folder: Path, version: str, **target: str) -> Path:
    """Write a release of that version into `folder`; keywords change what machine it says that it is for."""
    made = folder / f"gathered-{version}"
    (made / "wheels").mkdir(parents=True)
    own = _wheel(made / "wheels", version)
    complete(made, own)
    describe(own, replace(this_machine(), **target), made)  # type: ignore[arg-type]
    pack(made, folder / f"{version}.skinrelease")
    shutil.rmtree(made)
    return folder / f"{version}.skinrelease"


def _wheel(folder: Path, version: str) -> Path:
    files = {
        # Not called skin_edge: a PYTHONPATH of who runs the tests would go before it.
        "passing_on.py": PROGRAM.format(real=str(BIN / "skin-edge"), version=version).encode(),
        "skin_edge/__init__.py": b"",
        "skin_edge/model/__init__.py": b"",
        "skin_edge/model/locate.py": LOCATE.format(bundle=str(default_bundle_path())).encode(),
    }
    return write_wheel(folder, version, "passing_on:main", files)
