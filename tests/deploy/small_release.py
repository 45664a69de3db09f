"""Small releases: real installer, real environment, and a command that passes on to the real one."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

from loopback import BIN

from skin_edge.model.locate import default_bundle_path
from skin_edge_deploy.wheelhouse.gather import describe, pack, pinned
from skin_edge_deploy.wheelhouse.targets import this_machine

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
    (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    shutil.copy(pip, made / "wheels")
    digest = hashlib.sha256(pip.read_bytes()).hexdigest()
    lines = [f"pip=={pip.name.split('-')[1]} --hash=sha256:{digest}", pinned(own)]
    (made / "requirements.txt").write_text("\n".join(lines) + "\n")
    describe(own, replace(this_machine(), **target), made)  # type: ignore[arg-type]
    pack(made, folder / f"{version}.skinrelease")
    shutil.rmtree(made)
    return folder / f"{version}.skinrelease"


def _wheel(folder: Path, version: str) -> Path:
    info = f"skin_edge-{version}.dist-info"
    files = {
        # Not called skin_edge: a PYTHONPATH of who runs the tests would go before it.
        "passing_on.py": PROGRAM.format(real=str(BIN / "skin-edge"), version=version),
        "skin_edge/__init__.py": "",
        "skin_edge/model/__init__.py": "",
        "skin_edge/model/locate.py": LOCATE.format(bundle=str(default_bundle_path())),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: skin-edge\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nskin-edge = passing_on:main\n",
    }
    record = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(text.encode())}\n")
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])
    path = folder / f"skin_edge-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path
