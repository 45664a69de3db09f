"""Test-time views: the eight ways to lay a square on itself, and the way back for an activation map.

A lesion has no upright. The mean over views is steadier than one view, and each view costs one more invoke.
Views are taken of the tensor, so that the stages run once.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

#: How many views may be asked for: as it is; with its mirror image; with both flips and the half turn; and
#: all of these transposed as well.
VIEW_COUNTS: Final = (1, 2, 4, 8)

_MIRROR: Final = 1
_UPSIDE_DOWN: Final = 2
_TRANSPOSE: Final = 4


def view(tensor: Floats, number: int) -> Floats:
    """Return view `number` (0 to 7, 0 is the tensor itself) of a (S, S, C) tensor; no copy is made."""
    if number & _TRANSPOSE:
        tensor = tensor.swapaxes(0, 1)
    if number & _MIRROR:
        tensor = tensor[:, ::-1]
    if number & _UPSIDE_DOWN:
        tensor = tensor[::-1]
    return tensor


def back(activation_map: Floats, number: int) -> Floats:
    """Return the (s, s) map of view `number` as it lies over the tensor itself; no copy is made."""
    if number & _UPSIDE_DOWN:
        activation_map = activation_map[::-1]
    if number & _MIRROR:
        activation_map = activation_map[:, ::-1]
    if number & _TRANSPOSE:
        activation_map = activation_map.swapaxes(0, 1)
    return activation_map
