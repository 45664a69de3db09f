"""The network in a TFLite runtime: ai-edge-litert, else tflite-runtime where that is all there is.

Built once, run many times; one invoke gives the logit and the activation map.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from skin_edge.errors import ModelError
from skin_edge.frame import Prediction

#: `code` of the error of a machine that has no usable runtime: no model's fault.
RUNTIME_CODE = "runtime"

#: What either runtime raises for a model that it cannot take or run.
_RUNTIME_ERRORS = (ValueError, RuntimeError, TypeError, SystemError, MemoryError, OverflowError)


class Network:
    """A loaded network with its buffers allocated. One object serves one thread.

    Args:
        model: model.tflite: one static (1, H, W, 3) float32 input, two float32 outputs.
        input_shape: (H, W, 3) of the tensors that `predict` will get.
        threads: threads of the runtime; more than one rarely pays for so small a network.

    Attributes:
        input_shape: (H, W, 3).
        map_shape: (h, w) of the activation map.

    Raises:
        ModelError: no runtime is installed, or the model is not such a network.
    """

    def __init__(self, model: bytes, input_shape: tuple[int, int, int], threads: int = 1) -> None:
        interpreter_class = _interpreter_class()
        with _quiet_stderr():
            try:
                self._interpreter = interpreter_class(model_content=model, num_threads=threads)
                self._interpreter.allocate_tensors()
                inputs = self._interpreter.get_input_details()
                outputs = self._interpreter.get_output_details()
            except _RUNTIME_ERRORS as error:
                raise ModelError(f"the TFLite runtime refuses the model: {_reason(error)}") from None
        self.input_shape = input_shape
        self._input = _input_index(inputs, input_shape)
        self._logit, self._map, self.map_shape = _output_indices(outputs)

    def predict(self, tensor: npt.NDArray[np.float32]) -> Prediction:
        """Run the network once.

        Args:
            tensor: (H, W, 3) float32, normalised; not modified.

        Returns:
            The logit and a copy of the activation map, both finite.

        Raises:
            ModelError: another shape or type, or a result that is not finite.
        """
        if tensor.shape != self.input_shape or tensor.dtype != np.float32:
            raise ModelError(
                f"the network takes {self.input_shape} float32, got {tensor.shape} of {tensor.dtype}"
            )
        try:
            self._interpreter.set_tensor(self._input, tensor[None])
            self._interpreter.invoke()
            logit = float(self._interpreter.get_tensor(self._logit).item())
            activation_map: npt.NDArray[np.float32] = self._interpreter.get_tensor(self._map)
        except _RUNTIME_ERRORS as error:
            raise ModelError(f"the network failed: {_reason(error)}") from None
        if not math.isfinite(logit) or not np.isfinite(activation_map).all():
            raise ModelError("the network gave a result that is not a finite number")
        return Prediction(logit=logit, activation_map=activation_map.reshape(self.map_shape))


def _interpreter_class() -> Callable[..., Any]:
    """The runtime's Interpreter, imported only now: it is the slowest import of the device."""
    try:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("ai_edge_litert"):
            raise _broken("ai-edge-litert", error) from None
    except ImportError as error:  # installed but broken: falling back would hide it
        raise _broken("ai-edge-litert", error) from None
    try:
        from tflite_runtime.interpreter import Interpreter as OldInterpreter

        return OldInterpreter  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("tflite_runtime"):
            raise _broken("tflite-runtime", error) from None
        raise ModelError(
            "no TFLite runtime is installed: pip install ai-edge-litert, "
            "or on armv7l pip install 'skin-edge[tflite-runtime]'",
            code=RUNTIME_CODE,
        ) from None
    except ImportError as error:
        raise _broken("tflite-runtime", error) from None


def _broken(runtime: str, error: ImportError) -> ModelError:
    return ModelError(f"{runtime} is installed but cannot be imported: {_reason(error)}", code=RUNTIME_CODE)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _input_index(details: list[dict[str, Any]], input_shape: tuple[int, int, int]) -> int:
    expected = (1, *input_shape)
    if len(details) != 1:
        raise ModelError(f"the network has {len(details)} inputs, expected 1")
    (only,) = details
    found = tuple(int(side) for side in only["shape"])
    if found != expected or only["dtype"] != np.float32 or _is_dynamic(only):
        raise ModelError(f"the network's input is {_describe(only)}, expected a static {expected} of float32")
    return int(only["index"])


def _output_indices(details: list[dict[str, Any]]) -> tuple[int, int, tuple[int, int]]:
    """Tell the logit (1 element, rank at most 2) from the map ((1, h, w) or (1, h, w, 1)) in any order."""
    logits = [d for d in details if len(d["shape"]) <= 2]
    maps = [d for d in details if len(d["shape"]) in (3, 4)]
    found = ", ".join(_describe(d) for d in details)
    if len(details) != 2 or len(logits) != 1 or len(maps) != 1:
        raise ModelError(
            f"the network's outputs are {found or 'none'}; expected a logit and an activation map"
        )
    logit, activation = logits[0], maps[0]
    shape = tuple(int(side) for side in activation["shape"])
    sound = (
        all(side == 1 for side in logit["shape"])
        and shape[0] == 1
        and min(shape) >= 1
        and shape[3:] in ((), (1,))
        and all(d["dtype"] == np.float32 and not _is_dynamic(d) for d in details)
    )
    if not sound:
        raise ModelError(
            f"the network's outputs are {found}; expected static float32: "
            "a logit of one element and an activation map (1, h, w) or (1, h, w, 1)"
        )
    return int(logit["index"]), int(activation["index"]), (shape[1], shape[2])


def _is_dynamic(detail: dict[str, Any]) -> bool:
    return any(side < 0 for side in detail.get("shape_signature", ()))


def _describe(detail: dict[str, Any]) -> str:
    shape = tuple(int(side) for side in detail["shape"])
    return f"{shape} of {np.dtype(detail['dtype']).name}{', dynamic' if _is_dynamic(detail) else ''}"


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep the runtime's INFO lines off stderr; whatever else was written meanwhile comes out after.

    The runtime writes them from C++ straight to descriptor 2 and has no switch for it.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # closed, as a daemon may have it: nothing to keep clean
        yield
        return
    held = os.memfd_create("skin-edge-stderr") if hasattr(os, "memfd_create") else None
    if held is None:
        os.close(stderr)
        yield
        return
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(held, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            size = os.lseek(held, 0, os.SEEK_END)
            lines = os.pread(held, size, 0).splitlines(keepends=True)
            kept = b"".join(line for line in lines if not line.startswith(b"INFO: "))
            if kept:
                os.write(stderr, kept)
    finally:
        os.close(held)
        os.close(stderr)
