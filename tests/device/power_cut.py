"""A power cut at any change of the disk, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATH_OPERATIONS = ("replace", "rename", "symlink_to", "unlink", "mkdir", "rmdir", "chmod", "touch")
OS_OPERATIONS = ("fsync", "fchmod", "open", "unlink", "rmdir")


def cut_at(step: int, job: Callable[[], None], *also: tuple[Any, str]) -> bool:
    """Run `job` in a child that ends without a word at its `step`-th change; False if it came to its end.

    Nothing is cleaned up on the way, as with a power cut. What was not flushed is not lost here: the
    machine of `make test-vm` shows that.

    Args:
        step: how many changes are made before the cut.
        job: what is cut.
        also: further functions that change something, each as what has it and its name.
    """
    child = os.fork()
    if child == 0:
        left = [step]

        def counted(original: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object, **kwargs: object) -> object:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return original(*args, **kwargs)

            return call

        changing = [(Path, name) for name in PATH_OPERATIONS] + [(os, name) for name in OS_OPERATIONS]
        for owner, name in (*changing, *also):
            setattr(owner, name, counted(getattr(owner, name)))
        try:
            job()
        except BaseException:  # noqa: BLE001 - told by the status
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), "the job failed by itself"
    return code == 9
