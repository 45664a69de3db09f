"""Several GPUs: every batch is shared out among them, through Keras' own distribution API.

`keras.distribution` is complete on JAX alone (Keras 3.15): on TensorFlow a distribution is taken and does
nothing, on PyTorch there is none. With ``XLA_FLAGS=--xla_force_host_platform_device_count=4`` JAX takes a CPU
for four devices, which is how this is tested.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from skin_edge.errors import UsageError

logger = logging.getLogger(__name__)


def accelerators() -> list[str]:
    """Names of the GPUs (or TPUs) that Keras' backend sees, as "gpu:0"."""
    if keras.backend.backend() == "torch":
        return [f"gpu:{n}" for n in range(importlib.import_module("torch").cuda.device_count())]
    # Without a type it lists the best kind there is; asked for GPUs, JAX raises where there are none.
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


@contextmanager
def all_devices(batch_size: int) -> Iterator[None]:
    """Networks made and trained inside share every batch among all GPUs, where there are several.

    Weights are on every device, a batch of `batch_size` is cut into equal parts, and the step is that of the
    whole batch, batch statistics included: one device gives the same weights, up to rounding.

    Raises:
        UsageError: `batch_size` pictures cannot be shared equally.
    """
    if keras.backend.backend() != "jax":
        idle = len(accelerators()) - 1
        if idle > 0:
            logger.warning(
                "1 of %d GPUs is used: Keras on %s does not share batches, with KERAS_BACKEND=jax it does",
                idle + 1,
                keras.backend.backend(),
            )
        yield
        return
    names = keras.distribution.list_devices()
    if len(names) == 1:
        yield
        return
    if batch_size % len(names):
        raise UsageError(
            f"batches of {batch_size} cannot be shared equally by {len(names)} devices: set batch_size to a "
            f"multiple of {len(names)}, or show fewer devices (CUDA_VISIBLE_DEVICES)"
        )
    logger.info("%d devices share each batch of %d: %s", len(names), batch_size, ", ".join(names))
    with keras.distribution.DataParallel(devices=names).scope():
        yield


def sharing() -> int:
    """How many devices share a batch here: more than 1 inside `all_devices` only."""
    current = keras.distribution.distribution()
    return 1 if current is None else int(current.device_mesh.devices.size)
