"""Small releases that are real: the device's own code, which finds what it needs where the tests find it."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import shutil
import sysconfig
import zipfile
from dataclasses import replace
from pathlib import Path

from loopback import ROOT

from skin_edge.ssh_signature import sign
from skin_edge_deploy.wheelhouse.gather import describe, pack, pinned
from skin_edge_deploy.wheelhouse.targets import this_machine

#: All but the service, which no test may start on the machine that it runs on: what it is told is noted down.
#: Beside the prefix, a file `ill-VERSION` makes it unhealthy, and `slow` keeps it busy until that is gone.
ENTRY = """
import pathlib, sys, time
VERSION = {version!r}
BESIDE = pathlib.Path(sys.prefix).parents[2]
UNIT = pathlib.Path("/etc/systemd/system/skin-edge.service")
def main():
    words = sys.argv[1:]
    if words[:1] != ["service"]:
        from skin_edge.cli.main import console_script
        sys.exit(console_script())
    with (BESIDE / "calls").open("a") as calls:
        calls.write(VERSION + " " + " ".join(words) + chr(10))
    if words[1] == "install":
        UNIT.write_text(VERSION)
    if words[1] == "uninstall":
        UNIT.unlink()
    while words[1] == "wait" and (BESIDE / "slow").exists():
        time.sleep(0.05)
    if words[1] == "wait" and (BESIDE / ("ill-" + VERSION)).exists():
        sys.exit("no frame was classified")
"""


def make_wheel(folder: Path, version: str) -> Path:
    """A wheel of skin-edge that holds the device's code, and borrows what that needs from these tests."""
    info = f"skin_edge-{version}.dist-info"
    site = sysconfig.get_path("purelib")
    files = {
        "small_kiosk.py": ENTRY.format(version=version).encode(),
        "small_kiosk.pth": f"{site}\n".encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: skin-edge\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": b"[console_scripts]\nskin-edge = small_kiosk:main\n",
    }
    device = ROOT / "device"
    for path in sorted((device / "skin_edge").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            files[path.relative_to(device).as_posix()] = path.read_bytes()
    record = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(data)}\n")
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    path = folder / f"skin_edge-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in files.items():
            wheel.writestr(zipfile.ZipInfo(name), data)
    return path


def make_release(
    folder: Path, version: str, *, key: Path | None = None, padding: int = 0, **target: object
) -> Path:
    """Write a release for machines like this one into `folder`, and return its file.

    Args:
        folder: made where it is missing.
        version: of it.
        key: signs it.
        padding: bytes more.
        target: what is to be said of it instead: `python="3.9"`, `name="pi-bookworm"`, `glibc=99`.
    """
    made = folder / f"gathered-{version}-{len(list(folder.glob('gathered-*')))}"
    wheels = made / "wheels"
    wheels.mkdir(parents=True)
    own = make_wheel(wheels, version)
    (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    shutil.copy(pip, wheels)
    digest = hashlib.sha256(pip.read_bytes()).hexdigest()
    lines = [f"pip=={pip.name.split('-')[1]} --hash=sha256:{digest}", pinned(own)]
    (made / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if padding:
        (made / "padding").write_bytes(hashlib.sha256(version.encode()).digest() * (padding // 32))
    identity = describe(own, replace(this_machine(), **target), made)  # type: ignore[arg-type]
    if key is not None:
        sign(made / "release.json", key)
    path = folder / f"skin-edge-{identity}{'-signed' if key is not None else ''}.skinrelease"
    pack(made, path)
    shutil.rmtree(made / "wheels")
    return path
