"""Specs by name: each stage alone in each of its forms, and all together.

Golden outputs and the comparison of OpenCV versions run the same ones.
"""

from __future__ import annotations

import msgspec
from drawn_skin import Rgb, drawn_skin

from skin_edge.preprocess.spec import (
    ColourConstancy,
    Contrast,
    CropResize,
    Denoise,
    HairRemoval,
    PreprocessSpec,
)

HAIR = HairRemoval(enabled=True)
MEDIAN = Denoise(enabled=True)
BILATERAL = Denoise(enabled=True, method="bilateral", kernel_px=5)
COLOUR = ColourConstancy(enabled=True)
CONTRAST = Contrast(enabled=True)

STAGE_SPECS: dict[str, PreprocessSpec] = {
    "crop_resize": PreprocessSpec(),
    "crop_resize_fraction": PreprocessSpec(crop_resize=CropResize(crop_fraction=0.7)),
    "hair_removal_ns": PreprocessSpec(hair_removal=HAIR),
    "hair_removal_telea": PreprocessSpec(hair_removal=msgspec.structs.replace(HAIR, inpaint="telea")),
    "denoise_median": PreprocessSpec(denoise=MEDIAN),
    "denoise_bilateral": PreprocessSpec(denoise=BILATERAL),
    "colour_constancy": PreprocessSpec(colour_constancy=COLOUR),
    "contrast": PreprocessSpec(contrast=CONTRAST),
    "contrast_uneven_tiles": PreprocessSpec(
        contrast=msgspec.structs.replace(CONTRAST, tiles=7, clip_limit=4.0)
    ),
    "all": PreprocessSpec(hair_removal=HAIR, denoise=MEDIAN, colour_constancy=COLOUR, contrast=CONTRAST),
    "all_bilateral": PreprocessSpec(
        hair_removal=HAIR, denoise=BILATERAL, colour_constancy=COLOUR, contrast=CONTRAST
    ),
}

GOLDEN_SIZE_PX = 40


def golden_inputs() -> dict[str, tuple[PreprocessSpec, Rgb]]:
    """Return spec and input of each golden output, small enough to commit."""
    hairy = drawn_skin(46, 60, seed=1, hairs=2, hair_width_px=1.5, cast=(1.0, 0.9, 0.7))
    cases = {name: (_at_golden_size(spec), hairy) for name, spec in STAGE_SPECS.items()}
    resize = _at_golden_size(PreprocessSpec())
    cases["halved_twice"] = (resize, drawn_skin(341, 400, seed=2, hairs=3))
    cases["enlarged"] = (resize, drawn_skin(21, 30, seed=3))
    return cases


def _at_golden_size(spec: PreprocessSpec) -> PreprocessSpec:
    crop = msgspec.structs.replace(spec.crop_resize, size_px=GOLDEN_SIZE_PX)
    hair = msgspec.structs.replace(spec.hair_removal, kernel_px=5)
    contrast = msgspec.structs.replace(spec.contrast, tiles=min(spec.contrast.tiles, 4))
    return msgspec.structs.replace(spec, crop_resize=crop, hair_removal=hair, contrast=contrast)
