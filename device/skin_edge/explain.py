"""Where in the picture the network found what: its activation map over the photograph.

Blue to orange-yellow can be told apart in every common colour-vision deficiency and in print. The map says
which regions moved the answer, not what they are: the picture carries that caution on itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from skin_edge.durable import replacing
from skin_edge.errors import ImageError, StorageError
from skin_edge.preprocess.rgb import Rgb, require_rgb

#: A larger picture is scaled down to this on its longer side before anything is drawn.
MAX_SIDE_PX: Final = 1024

#: A narrower one is enlarged, and failing that put on a wider ground, so that the legend is whole.
_MIN_WIDTH_PX: Final = 384

#: Activation (in units of the logit) that gets the full colour where the map has nothing stronger: without a
#: floor the noise of a picture that says nothing would be painted as strongly as a finding.
FULL_COLOUR_ACTIVATION: Final = 2.0

#: Part of the photograph that the full colour covers.
_OPACITY: Final = 0.62

_MALIGNANT_RGB: Final = np.array((255, 194, 10), np.float32)
_BENIGN_RGB: Final = np.array((12, 93, 230), np.float32)

_BAND_PX: Final = 44
_BAND_RGB: Final = (24, 24, 27)
_TEXT_RGB: Final = (235, 235, 235)
_CAUTION: Final = "Research aid, not a diagnosis"


def overlay(rgb: Rgb, activation_map: npt.NDArray[np.float32], crop_fraction: float) -> Rgb:
    """Paint an activation map over the square that the network saw, with a legend below the picture.

    Zero is left transparent, positive (towards malignant) becomes yellow and negative (towards benign) blue,
    the more opaque the stronger. The outline is the edge of what the network saw.

    Args:
        rgb: (H, W, 3) uint8; not modified.
        activation_map: (h, w), finite; its mean, plus a bias, is the logit.
        crop_fraction: side of the central square as a part of the shorter side, above 0 and up to 1.

    Returns:
        (H' + 44, W', 3) uint8 RGB: H and W scaled so that the longer side is at most 1024 pixels, W' at least
        384, and the legend.

    Raises:
        ImageError: another shape or dtype, a value that is not finite, or a fraction out of range.
    """
    activation = _checked_map(activation_map)
    if not 0.0 < crop_fraction <= 1.0:
        raise ImageError(f"crop fraction {crop_fraction}: expected above 0 and up to 1", code="image-shape")
    picture = _at_display_size(require_rgb(rgb))
    height, width = picture.shape[:2]
    side = max(1, round(min(height, width) * crop_fraction))
    top, left = (height - side) // 2, (width - side) // 2
    scale = max(float(np.abs(activation).max()), FULL_COLOUR_ACTIVATION)
    _paint(picture[top : top + side, left : left + side], activation / scale)
    _outline(picture, (left, top, side))
    missing = max(0, _MIN_WIDTH_PX - width)
    edges = (0, 0, missing // 2, missing - missing // 2)
    framed = cv2.copyMakeBorder(picture, *edges, cv2.BORDER_CONSTANT, value=_BAND_RGB)
    return np.asarray(np.vstack([framed, _legend(framed.shape[1], scale)]), np.uint8)


def tint(
    height: int, width: int, activation_map: npt.NDArray[np.float32], crop_fraction: float
) -> npt.NDArray[np.uint8]:
    """Return an activation map as a transparent picture to lay over the photograph.

    The colours are those of `overlay`; what the network did not see, and what is zero, is transparent.

    Args:
        height: of the photograph, in pixels.
        width: likewise.
        activation_map: as for `overlay`.
        crop_fraction: likewise.

    Returns:
        (height, width, 4) uint8 RGBA.

    Raises:
        ImageError: as `overlay`.
    """
    activation = _checked_map(activation_map)
    if not 0.0 < crop_fraction <= 1.0:
        raise ImageError(f"crop fraction {crop_fraction}: expected above 0 and up to 1", code="image-shape")
    side = max(1, round(min(height, width) * crop_fraction))
    top, left = (height - side) // 2, (width - side) // 2
    scale = max(float(np.abs(activation).max()), FULL_COLOUR_ACTIVATION)
    strength = _smooth(activation / scale, side)
    picture = np.zeros((height, width, 4), np.uint8)
    square = picture[top : top + side, left : left + side]
    square[:, :, :3] = np.where(strength[:, :, None] > 0, _MALIGNANT_RGB, _BENIGN_RGB)
    square[:, :, 3] = np.round(np.abs(strength) * 255.0)
    return picture


def make_folder(folder: Path) -> Path:
    """Return a folder for explanations, made where there is none.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot make this folder for explanations: {error.strerror}") from None
    return folder


def save_overlay(path: Path, rgb: Rgb, activation_map: npt.NDArray[np.float32], crop_fraction: float) -> None:
    """Write `overlay` as a PNG, mode 0600; readers of `path` see the old file or the whole new one.

    Raises:
        ImageError: as `overlay`.
        StorageError: the file cannot be written.
    """
    picture = overlay(rgb, activation_map, crop_fraction)
    encoded, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not encoded:
        raise StorageError(f"{path}: this OpenCV cannot encode PNG", code="storage-encode")
    try:
        with replacing(path) as stream:
            stream.write(data.tobytes())
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StorageError(
            f"{path}: the explanation picture cannot be written: {reason}", code="storage-write"
        ) from error


def _checked_map(activation_map: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if activation_map.ndim != 2 or activation_map.size == 0:
        raise ImageError(
            f"expected a non-empty (h, w) activation map, got shape {activation_map.shape}",
            code="image-shape",
        )
    activation = np.asarray(activation_map, np.float32)
    if not np.isfinite(activation).all():
        raise ImageError("the activation map holds values that are not finite numbers", code="image-shape")
    return activation


def _at_display_size(rgb: Rgb) -> Rgb:
    """Return a copy of the picture at a size at which it can be looked at."""
    height, width = rgb.shape[:2]
    longer = max(height, width)
    factor = min(MAX_SIDE_PX / longer, max(1.0, _MIN_WIDTH_PX / width))
    if factor == 1.0:
        return np.array(rgb, order="C")
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    method = cv2.INTER_AREA if factor < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(rgb), size, interpolation=method), np.uint8)


def _paint(square: Rgb, strength: npt.NDArray[np.float32]) -> None:
    """Blend colour into `square`, in place; `strength` is -1 to 1 on a grid over the same area."""
    square[:] = np.round(_tinted(square.astype(np.float32), _smooth(strength, square.shape[0])))


def _smooth(strength: npt.NDArray[np.float32], side_px: int) -> npt.NDArray[np.float32]:
    # Cubic is smooth where bilinear shows the grid as creases; it may overshoot, so it is clipped.
    smooth = cv2.resize(strength, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(smooth, -1.0, 1.0), np.float32)


def _tinted(base: npt.NDArray[np.float32], strength: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    colour = np.where(strength[:, :, None] > 0, _MALIGNANT_RGB, _BENIGN_RGB)
    alpha = (_OPACITY * np.abs(strength))[:, :, None]
    return np.asarray(base + alpha * (colour - base), np.float32)


def _outline(picture: Rgb, square: tuple[int, int, int]) -> None:
    left, top, side = square
    corners = (left, top), (left + side - 1, top + side - 1)
    cv2.rectangle(picture, *corners, (0, 0, 0), 3)
    cv2.rectangle(picture, *corners, (255, 255, 255), 1)


def _legend(width: int, scale: float) -> Rgb:
    """Return a (44, width, 3) band: what the colours mean, and what the picture is not."""
    band = np.full((_BAND_PX, width, 3), _BAND_RGB, np.uint8)
    bar_width = 120
    left = (width - bar_width) // 2
    ramp = np.repeat(np.linspace(-1.0, 1.0, bar_width, dtype=np.float32)[None], 8, axis=0)
    grey = np.full((8, bar_width, 3), 150.0, np.float32)
    band[8:16, left : left + bar_width] = np.round(_tinted(grey, ramp))
    _write(band, "towards benign", left - 8, 16, anchor="right")
    _write(band, "towards malignant", left + bar_width + 8, 16, anchor="left")
    _write(band, f"{_CAUTION}. Full colour: activation {scale:.1f}", width // 2, 35, anchor="middle")
    return band


def _write(band: Rgb, text: str, x: int, baseline: int, *, anchor: str) -> None:
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.36 if band.shape[1] < 640 else 0.48
    (width, _), _ = cv2.getTextSize(text, font, scale, 1)
    start = {"left": x, "middle": x - width // 2, "right": x - width}[anchor]
    cv2.putText(band, text, (start, baseline), font, scale, _TEXT_RGB, 1, cv2.LINE_AA)
