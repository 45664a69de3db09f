"""Work that may hang or crash, in a process group of its own that can be killed whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress


def run_child(module: str, *arguments: str, timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    """Run `python -m MODULE ARGUMENTS` and return what it printed and how it ended.

    Raises:
        subprocess.TimeoutExpired: it did not end in time; it and all that it started are killed.
    """
    # PYTHONSAFEPATH: no module of the working directory is imported. One thread: as `skin-edge` itself.
    environment = os.environ | {"PYTHONSAFEPATH": "1", "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a camera may have processes of its own, which hold the pipes open
    )
    try:
        stdout, stderr = child.communicate(timeout=timeout_s)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        # Nothing is waited for beyond a second: a process that hangs in a driver cannot be killed.
        with suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=1.0)
        raise
    return subprocess.CompletedProcess(child.args, child.returncode, stdout, stderr)


def how_it_ended(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return how a child ended that gave no answer, with the last line that it wrote to stderr."""
    if done.returncode < 0:
        number = -done.returncode
        ended = f"crashed (signal {number}, {signal.strsignal(number)})"
    else:
        ended = f"ended with status {done.returncode}"
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return f"{ended}: {said[-1][:200]}" if said else ended
