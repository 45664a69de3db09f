"""The installer as one file that any Python runs: these modules and what they stand on, in a ZIP.

It is the head of every release file, and kept at PREFIX/installer.pyz to undo a switch at boot, whatever
the release on trial is like.
"""

from __future__ import annotations

import io
import pkgutil
import zipfile
from typing import IO, Final

#: Standard library only, all of them; `tests/device/release` runs them on a Python that has nothing else.
MODULES: Final = (
    "skin_edge/__init__.py",
    "skin_edge/durable.py",
    "skin_edge/errors.py",
    "skin_edge/faults.py",
    "skin_edge/locking.py",
    "skin_edge/ssh_signature.py",
    "skin_edge/release/__init__.py",
    "skin_edge/release/archive.py",
    "skin_edge/release/build.py",
    "skin_edge/release/command.py",
    "skin_edge/release/manifest.py",
    "skin_edge/release/operations.py",
    "skin_edge/release/programs.py",
    "skin_edge/release/serving.py",
    "skin_edge/release/shipped.py",
    "skin_edge/release/store.py",
    "skin_edge/release/switch.py",
)
MAIN_NAME: Final = "__main__.py"
#: Readable for the oldest Python 3, so that it can say what is wrong.
MAIN: Final = b'''"""Installs the release that it is part of: sudo python3 FILE.skinrelease"""
import os, sys
if sys.version_info < (3, 10):
    sys.exit("skin-edge: Python 3.10 or newer is needed, this is %d.%d" % sys.version_info[:2])
from skin_edge.release.command import main
sys.exit(main(None, os.path.dirname(os.path.abspath(__file__))))
'''
#: The earliest that a ZIP can say; that of the files is of no use, and the same files make the same bytes.
_WHEN: Final = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE: Final = 0o100644 << 16


def sources() -> dict[str, bytes]:
    """Return the files of the installer by name, from wherever it runs: a folder, or a ZIP again.

    Raises:
        OSError: one cannot be read.
    """
    files = {MAIN_NAME: MAIN}
    for name in MODULES:
        package, _, file = name.rpartition("/")
        data = pkgutil.get_data(package.replace("/", "."), file)
        if data is None:
            raise FileNotFoundError(2, "a module of the installer is missing; install skin-edge again", name)
        files[name] = data
    return files


def installer() -> bytes:
    """Return the installer alone, as `python3 FILE` runs it.

    Raises:
        OSError: one of its modules cannot be read.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in sorted(sources().items()):
            add(archive, name, io.BytesIO(data), len(data))
    return stream.getvalue()


def add(archive: zipfile.ZipFile, name: str, content: IO[bytes], size_bytes: int) -> None:
    """Add a file to a ZIP, not compressed: its bytes follow from name and content alone."""
    entry = zipfile.ZipInfo(name, _WHEN)
    entry.create_system = 3
    entry.external_attr = _PLAIN_FILE
    entry.file_size = size_bytes
    with archive.open(entry, "w") as into:
        while chunk := content.read(1 << 20):
            into.write(chunk)
