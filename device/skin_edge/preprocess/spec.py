"""What each of the six stages does, as data: it travels in the bundle and is the same in training.

A spec is compared by its fingerprint: equal fingerprints mean equal tensors from equal frames.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from skin_edge.strict import Strict, convert

#: Raised when a stage's arithmetic changes, so that a bundle made with the old one is told apart.
ALGORITHM_VERSION = 1

Fraction = Annotated[float, Meta(gt=0.0, le=1.0)]
OddKernel = Annotated[int, Meta(ge=3, le=63)]
Mean = Annotated[float, Meta(ge=-1000.0, le=1000.0)]
Deviation = Annotated[float, Meta(ge=0.01, le=1000.0)]


def _require_odd(kernel_px: int) -> None:
    if kernel_px % 2 == 0:
        raise ValueError(f"kernel_px must be odd, so that it has a centre; got {kernel_px}")


class CropResize(Strict, frozen=True):
    """Stage 1: central square, then area interpolation to the network's input.

    `crop_fraction` is the side of the square as a part of the shorter side of the frame.
    """

    enabled: bool = True
    size_px: Annotated[int, Meta(ge=16, le=512)] = 128
    crop_fraction: Fraction = 1.0


class HairRemoval(Strict, frozen=True):
    """Stage 2: black-hat morphology finds thin dark strands, inpainting fills them (Lee et al. 1997).

    `threshold` is in grey levels of the black-hat response; above `max_coverage` of the image the mask is
    taken for texture, not hair, and the image is left alone.
    """

    enabled: bool = False
    kernel_px: OddKernel = 9
    threshold: Annotated[int, Meta(ge=1, le=255)] = 12
    inpaint: Literal["ns", "telea"] = "ns"
    radius_px: Annotated[int, Meta(ge=1, le=16)] = 2
    max_coverage: Fraction = 0.3

    def __post_init__(self) -> None:
        _require_odd(self.kernel_px)


class Denoise(Strict, frozen=True):
    """Stage 3: median filter, or bilateral where edges must stay (Tomasi & Manduchi 1998)."""

    enabled: bool = False
    method: Literal["median", "bilateral"] = "median"
    kernel_px: OddKernel = 3
    sigma_colour: Annotated[float, Meta(gt=0.0, le=255.0)] = 20.0

    def __post_init__(self) -> None:
        _require_odd(self.kernel_px)


class ColourConstancy(Strict, frozen=True):
    """Stage 4: shades of grey; the illuminant is the Minkowski mean of order p (Finlayson & Trezzi 2004)."""

    enabled: bool = False
    minkowski_p: Annotated[int, Meta(ge=1, le=16)] = 6
    max_gain: Annotated[float, Meta(ge=1.0, le=8.0)] = 3.0


class Contrast(Strict, frozen=True):
    """Stage 5: contrast-limited adaptive histogram equalisation on L* (Zuiderveld 1994)."""

    enabled: bool = False
    clip_limit: Annotated[float, Meta(gt=0.0, le=40.0)] = 2.0
    tiles: Annotated[int, Meta(ge=1, le=32)] = 8


class Normalisation(Strict, frozen=True):
    """Stage 6: (x - mean) / std per channel in grey levels; off, the grey levels themselves as float32."""

    enabled: bool = True
    mean: tuple[Mean, Mean, Mean] = (127.0, 127.0, 127.0)
    std: tuple[Deviation, Deviation, Deviation] = (128.0, 128.0, 128.0)


class PreprocessSpec(Strict, frozen=True):
    """The six stages in the order in which they run."""

    algorithm_version: int = ALGORITHM_VERSION
    crop_resize: CropResize = CropResize()
    hair_removal: HairRemoval = HairRemoval()
    denoise: Denoise = Denoise()
    colour_constancy: ColourConstancy = ColourConstancy()
    contrast: Contrast = Contrast()
    normalisation: Normalisation = Normalisation()

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the canonical JSON of the spec.

        Raises:
            SchemaError: a value out of its bounds, which only a spec made in code can have.
        """
        # Through the types once more: 1 and 1.0 in a field of floats are one spec, but not the same JSON.
        typed = convert(msgspec.to_builtins(self), PreprocessSpec)
        return hashlib.sha256(msgspec.json.encode(typed, order="sorted")).hexdigest()
