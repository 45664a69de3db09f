"""The Python, the libraries and the runtime that skin-edge stands on."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import Final

from skin_edge import __version__
from skin_edge.health.checks.check import Context, Finding

_PYTHON: Final = ((3, 10), (3, 14))  # as pyproject.toml: from the first, below the second
#: Either gives `cv2`; Debian's own package is neither and is known by `cv2.__version__` alone.
_RUNTIMES: Final = ("ai-edge-litert", "tflite-runtime")


def check_software(context: Context) -> Finding:
    """Can the runtime, OpenCV and numpy be loaded together, and which versions are they."""
    versions = {
        "skin_edge": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "numpy": _imported("numpy"),
        "opencv": _imported("cv2"),
        "runtime": next((f"{n} {v}" for n in _RUNTIMES if (v := _installed(n))), None),
    }
    shown = {"skin-edge": "skin_edge", "Python": "python", "numpy": "numpy", "OpenCV": "opencv"}
    text = ", ".join(f"{name} {versions[key]}" for name, key in shown.items())
    if not _PYTHON[0] <= sys.version_info[:2] < _PYTHON[1]:
        return Finding(
            status="fail",
            message=f"Python {versions['python']} is not one that skin-edge supports (3.10 to 3.13)",
            fix="make the virtual environment with another Python",
            data=versions,
        )
    error = _runtime_error()
    if error is not None:
        return Finding(
            status="fail",
            message=f"no network can run: {error}",
            fix="pip install ai-edge-litert; on armv7l pip install 'skin-edge[tflite-runtime]'",
            data=versions,
        )
    if versions["runtime"] is None:
        return Finding(status="ok", message=f"{text}, a runtime of its own build", data=versions)
    if versions["runtime"].startswith("tflite-runtime") and platform.machine() != "armv7l":
        return Finding(
            status="warn",
            message=f"{versions['runtime']} is no longer maintained; {text}",
            fix="pip install ai-edge-litert, which goes before it",
            data=versions,
        )
    return Finding(status="ok", message=f"{text}, {versions['runtime']}", data=versions)


def _imported(name: str) -> str:
    """Version of a module that everything needs; one that cannot be imported fails the check."""
    from importlib import import_module

    return str(import_module(name).__version__)


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _runtime_error() -> str | None:
    """What the runtime says to the shipped model; None where it takes it."""
    from skin_edge.errors import ModelError
    from skin_edge.model.bundle import open_bundle
    from skin_edge.model.locate import default_bundle_path
    from skin_edge.model.runtime import Network

    try:
        bundle = open_bundle(default_bundle_path())
        shape = bundle.manifest.input
        Network(bundle.model, (shape.height, shape.width, shape.channels))
    except ModelError as error:
        return str(error)
    return None
