"""Releases for a bare machine, of this tree: one, a better one, and one whose kiosk does not start."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from built import ROOT

TARGET = "pi-bookworm"
_IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
_BROKEN = 'raise RuntimeError("a kiosk that does not start")\n'


@dataclass(frozen=True, slots=True)
class Releases:
    """Files by `skin-edge wheelhouse`; `broken` installs and proves its model, and does not serve."""

    first: Path
    second: Path
    broken: Path


def gather(folder: Path) -> Releases:
    """Gather three releases below `folder`; needs a network for the wheels."""
    return Releases(
        _gather(folder / "first", None),
        _gather(folder / "second", "90.0.0"),
        _gather(folder / "broken", "91.0.0", broken=True),
    )


def identity(release: Path) -> str:
    """Return what a release file calls itself."""
    return release.stem.removeprefix("skin-edge-")


def _gather(folder: Path, version: str | None, *, broken: bool = False) -> Path:
    tree = folder / "tree"
    for name in ("device", "deploy", "host_training", "systemd"):
        shutil.copytree(ROOT / name, tree / name, ignore=_IGNORED)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    if version is not None:
        _replace_line(tree / "pyproject.toml", "version = ", f'version = "{version}"\n')
        _replace_line(tree / "device/skin_edge/__init__.py", "__version__ = ", f'__version__ = "{version}"\n')
    if broken:
        module = tree / "device/skin_edge/kiosk/serve.py"
        module.write_text(module.read_text(encoding="utf-8") + _BROKEN, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "wheel"]
    subprocess.run([*pip, tree], check=True)
    (wheel,) = (folder / "wheel").glob("skin_edge-*.whl")
    command = [sys.executable, "-m", "skin_edge", "wheelhouse", "--target", TARGET, "--json"]
    done = subprocess.run(
        [*command, "--wheel", wheel, "--out", folder / "out"], check=True, capture_output=True, text=True
    )
    return Path(json.loads(done.stdout)["path"])


def _replace_line(path: Path, start: str, line: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = [line if each.startswith(start) else each for each in lines]
    assert changed != lines, f"{path}: no line that starts with {start!r}"
    path.write_text("".join(changed), encoding="utf-8")
