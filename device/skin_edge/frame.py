"""The values that flow from camera to log: Frame -> QualityReport -> Prediction -> Decision.

Each is checked once, where it is made, so that nothing downstream checks it again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from skin_edge.errors import ImageError

Label = Literal["benign", "malignant", "uncertain"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture as it came from a source.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, any memory layout; never modified.
        name: what a person calls this picture: a path, or the source and a number.
        source: the source as the user wrote it, for example ``replay:photos``.
        monotonic_s: seconds on the monotonic clock when the picture was taken.
        wall_time_s: seconds since the epoch (UTC) by the wall clock, which a Pi may not have set yet.
        metadata: what the source knows besides, as text.
    """

    pixels: npt.NDArray[np.uint8]
    name: str
    source: str
    monotonic_s: float = field(default_factory=time.monotonic)
    wall_time_s: float = field(default_factory=time.time)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise ImageError(
                f"{self.name}: expected a non-empty (H, W, 3) uint8 RGB image, "
                f"got shape {pixels.shape} of {pixels.dtype}",
                code="image-shape",
            )


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Is a frame fit to classify.

    Attributes:
        reasons: stable identifiers of what is wrong, empty for a good frame.
        metrics: the measured figures behind the reasons.
    """

    reasons: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True where nothing speaks against classifying the frame."""
        return not self.reasons


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the network said.

    Attributes:
        logit: log-odds of malignant before calibration.
        activation_map: (h, w) float32; its mean, plus a bias, is the logit.
    """

    logit: float
    activation_map: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is told to the user: an aid to triage, not a diagnosis.

    Attributes:
        label: ``benign`` or ``malignant``, or ``uncertain`` where the probability lies in the bundle's
            abstain band, the frame was not fit to classify or the frames of a burst disagree.
        probability: calibrated probability of malignant, 0 to 1.
        refer: True where a clinician should see the lesion: malignant or uncertain.
        threshold: probability of the operating point in use.
        reasons: why the answer is ``uncertain``; empty otherwise.
    """

    label: Label
    probability: float
    refer: bool
    threshold: float
    reasons: tuple[str, ...] = ()
