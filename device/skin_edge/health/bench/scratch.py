"""A folder to write to on the disk that the results log is on, gone again afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skin_edge.errors import StorageError

_PREFIX = ".bench-"


@contextmanager
def scratch(state_dir: Path) -> Iterator[Path]:
    """Give a new private folder in `state_dir`, or in the nearest folder above it that exists.

    The real log is never touched, and flushing to disk costs what it costs there. What a run that was killed
    left behind is removed first.

    Raises:
        StorageError: nothing can be written there.
    """
    parent = state_dir
    while not parent.is_dir():
        parent = parent.parent
    for left in parent.glob(f"{_PREFIX}[0-9]*-*"):
        if not _is_running(left.name.removeprefix(_PREFIX).partition("-")[0]):
            shutil.rmtree(left, ignore_errors=True)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
    except OSError as error:
        raise StorageError(
            f"{parent}: cannot write there ({error.strerror}), and what flushing to that disk costs is part "
            "of the measurement; set SKIN_EDGE_HOME to a folder that this user may write"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
