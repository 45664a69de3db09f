"""What whole processes cost: how long they take from their start, and their memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path


def process_env() -> dict[str, str]:
    """Environment as an installation has it: modules compiled once, whatever this shell says."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def runtime_module() -> str:
    """Return the name of the runtime's module, the one that goes before where both are installed."""
    return f"{'ai_edge_litert' if find_spec('ai_edge_litert') else 'tflite_runtime'}.interpreter"


def bare_import() -> list[str]:
    """Return the command that only imports what a classification stands on: numpy, OpenCV, the runtime."""
    return [sys.executable, "-c", f"import numpy, cv2, {runtime_module()}"]


def run_quietly(command: Sequence[str]) -> None:
    """Run a command to its end.

    Raises:
        subprocess.CalledProcessError: it failed; `stderr` has its last words.
    """
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, env=process_env())


def peak_mb(command: Sequence[str]) -> float:
    """Largest resident size of a command in MB (2^20 bytes), by the kernel's accounting.

    Started by a small process of its own, since a child inherits the peak of the one that it was forked from.
    """
    code = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    told = subprocess.run(
        [sys.executable, "-S", "-c", code, *command], check=True, capture_output=True, env=process_env()
    )
    return int(told.stdout) / 1024


def resident_mb(peak: bool = False) -> float:
    """Resident size of this process in MB (2^20 bytes) now, or its peak since it started (proc(5))."""
    status = Path("/proc/self/status").read_text("ascii", "replace")
    match = re.search(rf"^{'VmHWM' if peak else 'VmRSS'}:\s*(\d+) kB", status, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0
