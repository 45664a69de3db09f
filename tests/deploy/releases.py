"""Small releases that are real: the device's own code, which finds what it needs where the tests find it."""

from __future__ import annotations

import hashlib
import shutil
import sysconfig
from dataclasses import replace
from pathlib import Path

from loopback import ROOT

from skin_edge.ssh_signature import sign
from skin_edge_deploy.wheelhouse.gather import describe, pack
from skin_edge_deploy.wheelhouse.targets import this_machine
from small_wheels import complete, write_wheel

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
    device = ROOT / "device"
    files = {
        "small_kiosk.py": ENTRY.format(version=version).encode(),
        "small_kiosk.pth": f"{sysconfig.get_path('purelib')}\n".encode(),
    }
    for path in sorted((device / "skin_edge").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            files[path.relative_to(device).as_posix()] = path.read_bytes()
    return write_wheel(folder, version, "small_kiosk:main", files)


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
    complete(made, own)
    if padding:
        (made / "padding").write_bytes(hashlib.sha256(version.encode()).digest() * (padding // 32))
    identity = describe(own, replace(this_machine(), **target), made)  # type: ignore[arg-type]
    if key is not None:
        sign(made / "release.json", key)
    path = folder / f"skin-edge-{identity}{'-signed' if key is not None else ''}.skinrelease"
    pack(made, path)
    shutil.rmtree(made / "wheels")
    return path
