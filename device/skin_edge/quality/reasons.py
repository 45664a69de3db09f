"""Why a frame is refused: identifiers that scripts may rely on, and what a person should do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TOO_SMALL: Final = "too-small"
TOO_DARK: Final = "too-dark"
TOO_BRIGHT: Final = "too-bright"
GLARE: Final = "glare"
OUT_OF_FOCUS: Final = "out-of-focus"
MOTION: Final = "motion"
NO_LESION: Final = "no-lesion"
NOT_SKIN: Final = "not-skin"

#: What is wrong and what to do about it, for a person; in the order in which reasons are given.
REASON_TEXT: Mapping[str, str] = MappingProxyType(
    {
        TOO_SMALL: "The picture has too few pixels: use a higher resolution or do not crop it so tightly.",
        TOO_DARK: "The picture is too dark: add light or lengthen the exposure, and uncover the lens.",
        TOO_BRIGHT: "Too much is burnt out: shorten the exposure or dim the light.",
        GLARE: "A highlight hides a part of the picture: tilt the lamp, or use gel, contact or a polariser.",
        OUT_OF_FOCUS: "The picture is out of focus: clean the lens and focus again.",
        MOTION: "The picture is smeared in one direction: hold camera and skin still, or add light.",
        NO_LESION: "No lesion stands out from the skin: put it in the middle of the picture.",
        NOT_SKIN: "This does not look like skin under a dermatoscope: point the camera at the lesion, and "
        "check its white balance.",
    }
)
