"""Wheels of skin-edge that hold what a test wants of them, and what lies beside them in a release."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from skin_edge_deploy.wheelhouse.gather import pinned


def write_wheel(folder: Path, version: str, entry: str, files: Mapping[str, bytes]) -> Path:
    """Write a wheel called skin-edge, with a console script of that name that runs `entry`."""
    info = f"skin_edge-{version}.dist-info"
    inside = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: skin-edge\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\nskin-edge = {entry}\n".encode(),
    }
    record = []
    for name, data in inside.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(data)}\n")
    inside[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    path = folder / f"skin_edge-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in inside.items():
            wheel.writestr(zipfile.ZipInfo(name), data)
    return path


def complete(release: Path, own: Path) -> None:
    """Put pip beside the wheel `own` of a release that is gathered in a folder, and pin both."""
    (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    shutil.copy(pip, release / "wheels")
    digest = hashlib.sha256(pip.read_bytes()).hexdigest()
    lines = [f"pip=={pip.name.split('-')[1]} --hash=sha256:{digest}", pinned(own)]
    (release / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
