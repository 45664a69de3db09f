"""Does a picture look like a lesion on skin: measured scores over the figures of `scene.py`.

Each score is the difference of two squared Mahalanobis distances (a quadratic discriminant): to dermoscopic
pictures of lesions, and to what they are told apart from. Means and covariances were fitted by
`benchmarks/quality_fit.py`, on half of the lesions, with their skin made darker and the white balance turned;
`likeness.json` holds the result. Limits are taken off, so that a score above zero speaks against a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from skin_edge.quality.scene import FIGURES

TABLE: Final = Path(__file__).with_name("likeness.json")

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Scores against a picture; each is 0 at its measured limit, and in units of a squared deviation.

    Attributes:
        thing: how much more a picture is like rooms, objects, faces and print than like a lesion.
        hue: how much more it has the colours of a picture whose hue was turned.
        negative: how much more it has those of an inverted one.
        bare_skin: how much more it is like skin without a lesion.
    """

    thing: float
    hue: float
    negative: float
    bare_skin: float

    @property
    def not_skin(self) -> float:
        """The greatest of the scores for which a picture is no skin at all."""
        return max(self.thing, self.hue, self.negative)


class _Quadratic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """x'Ax + b'x + c, with A as its upper triangle, row by row."""

    square: list[float]
    linear: list[float]
    constant: float


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    figures: list[str]
    thing: _Quadratic
    hue: _Quadratic
    negative: _Quadratic
    bare_skin: _Quadratic


def likeness(figures: Doubles) -> Likeness:
    """Return the scores of a picture.

    Args:
        figures: (22,) float64 of `scene_figures`.
    """
    square, linear, constant = _coefficients()
    scores = (square @ figures) @ figures + linear @ figures + constant
    return Likeness(*(float(score) for score in scores))


@cache
def _coefficients() -> tuple[Doubles, Doubles, Doubles]:
    table = msgspec.json.decode(TABLE.read_bytes(), type=_Table)
    if tuple(table.figures) != FIGURES:
        raise ValueError(f"{TABLE.name} is of other figures: run benchmarks/quality_fit.py")
    scores = (table.thing, table.hue, table.negative, table.bare_skin)
    size = len(FIGURES)
    square = np.zeros((len(scores), size, size))
    upper = np.triu_indices(size)
    for place, score in enumerate(scores):
        square[place][upper] = score.square
    return square, np.array([s.linear for s in scores]), np.array([s.constant for s in scores])
