"""The pictures of the last captures, for the page: in memory only, and gone with the process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from skin_edge.errors import StorageError
from skin_edge.explain import MAX_SIDE_PX, tint
from skin_edge.kiosk.camera_keeper import downscaled
from skin_edge.kiosk.preview_feed import jpeg
from skin_edge.session import Outcome

#: Captures whose pictures are kept.
KEPT: Final = 8

_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class Pair:
    """The two pictures of one capture, of the same size.

    Attributes:
        picture: JPEG, at most 1024 pixels on its longer side.
        activation_map: PNG with transparency: yellow speaks for malignant, blue for benign.
    """

    picture: bytes
    activation_map: bytes


class Pictures:
    """The last few captures by result id; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pairs: OrderedDict[str, Pair] = OrderedDict()

    def add(self, outcome: Outcome, crop_fraction: float) -> None:
        """Keep the pictures of an outcome, and forget those of the oldest.

        Raises:
            StorageError: this OpenCV cannot encode them.
        """
        picture = downscaled(outcome.frame.pixels, MAX_SIDE_PX)
        height, width = picture.shape[:2]
        rgba = tint(height, width, outcome.prediction.activation_map, crop_fraction)
        encoded, png = cv2.imencode(
            ".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA), [cv2.IMWRITE_PNG_COMPRESSION, 1]
        )
        if not encoded:
            raise StorageError("this OpenCV cannot encode PNG", code="storage-encode")
        pair = Pair(jpeg(picture, _QUALITY), np.asarray(png).tobytes())
        with self._lock:
            self._pairs[outcome.record.result_id or ""] = pair
            while len(self._pairs) > KEPT:
                self._pairs.popitem(last=False)

    def get(self, result_id: str) -> Pair | None:
        """Return the pictures of a result; None where they are not kept any more."""
        with self._lock:
            return self._pairs.get(result_id)
