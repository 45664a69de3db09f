"""Small releases that are real: real pip, real environments, a skin-edge that does what a test tells it."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # `small_device`

from skin_edge.ssh_signature import sign
from skin_edge_deploy.wheelhouse.gather import describe, pack, pinned
from skin_edge_deploy.wheelhouse.targets import this_machine

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
    info = f"skin_edge-{version}.dist-info"
    files = {
        "skin_edge/__init__.py": PROGRAM.format(version=version),
        "skin_edge/model/__init__.py": "",
        "skin_edge/model/locate.py": LOCATE,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: skin-edge\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nskin-edge = skin_edge:main\n",
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


@pytest.fixture
def make_release(tmp_path: Path) -> MakeRelease:
    """Return a function that makes a release file of a version, signed where a key is given."""

    def make(version: str, key: Path | None = None) -> Path:
        folder = tmp_path / f"gathered-{version}"
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        own = make_wheel(wheels, version)
        (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
        shutil.copy(pip, wheels)
        digest = hashlib.sha256(pip.read_bytes()).hexdigest()
        lines = [f"pip=={pip.name.split('-')[1]} --hash=sha256:{digest}", pinned(own)]
        (folder / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        describe(own, this_machine(), folder)
        if key is not None:
            sign(folder / "release.json", key)
        archive = tmp_path / f"{version}.skinrelease"
        pack(folder, archive)
        return archive

    return make
