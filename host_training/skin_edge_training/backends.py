"""Which library runs under Keras: chosen by KERAS_BACKEND for training, always TensorFlow for export.

Nothing here imports Keras, which reads the variable once, when it is imported.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from typing import Any

from skin_edge.errors import UsageError

VARIABLE = "KERAS_BACKEND"
TENSORFLOW = "tensorflow"
BACKENDS = (TENSORFLOW, "jax", "torch")


def check_backend() -> None:
    """Refuse a KERAS_BACKEND that Keras could not start with.

    Raises:
        UsageError: it names no backend that training is tested on, or one that is not installed.
    """
    name = os.environ.get(VARIABLE) or TENSORFLOW
    if name not in BACKENDS:
        raise UsageError(f"{VARIABLE}={name}: choose one of {', '.join(BACKENDS)}")
    if find_spec(name) is None:
        raise UsageError(
            f"{VARIABLE}={name}, and {name} is not installed: install it, or set {VARIABLE} to another of "
            f"{', '.join(BACKENDS)}"
        )


def choose_tensorflow() -> None:
    """Have Keras start on TensorFlow, whatever the caller's environment says; before it is imported."""
    os.environ[VARIABLE] = TENSORFLOW


def running_backend() -> str:
    """Name of the backend of this process; imports Keras."""
    import keras

    return str(keras.backend.backend())


def require_tensorflow() -> None:
    """Stop where TFLite cannot be made.

    Raises:
        UsageError: Keras runs on another backend in this process.
    """
    running = running_backend()
    if running != TENSORFLOW:
        raise UsageError(
            f"TFLite is made under TensorFlow, and Keras runs on {running} here: "
            f"'skin-edge train quantize' makes it from the same student.keras, or set {VARIABLE}={TENSORFLOW}"
        )


def under_tensorflow(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return ``function(*arguments)``, called in a process with Keras on TensorFlow if this one has another.

    Function, arguments and result are pickled then; an error of the function is raised here.
    """
    if running_backend() == TENSORFLOW:
        return function(*arguments)
    before = os.environ.get(VARIABLE)
    choose_tensorflow()  # the other process gets this environment; Keras of this one does not look again
    try:
        spawn = multiprocessing.get_context("spawn")  # a fork would inherit the Keras of this process
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            return pool.submit(function, *arguments).result()
    finally:
        if before is None:
            del os.environ[VARIABLE]  # it was chosen by a file of Keras' own
        else:
            os.environ[VARIABLE] = before
