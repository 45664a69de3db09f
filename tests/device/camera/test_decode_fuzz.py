"""Damaged image files: an ImageError or a valid picture, never anything else."""

from __future__ import annotations

import image_bytes
import numpy as np

from skin_edge.camera.decode import decode_image
from skin_edge.errors import ImageError


def test_300_mutated_files_give_an_image_error_or_a_valid_picture() -> None:
    rng = np.random.default_rng(2026)
    rgb = image_bytes.textured(48, 64)
    seeds = [
        image_bytes.encoded(".jpg", rgb),
        image_bytes.encoded(".png", rgb),
        image_bytes.jpeg_with_orientation(rgb, 6),
        image_bytes.png_with_orientation(rgb, 8),
    ]
    outcomes = {"read": 0, "refused": 0}
    for number in range(300):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(0, len(data))) if rng.random() < 0.5 else int(rng.integers(0, 120))
            match rng.integers(0, 4):
                case 0:
                    data[at] = int(rng.integers(0, 256))
                case 1:
                    del data[at : at + int(rng.integers(1, 40))]
                case 2:
                    data[at:at] = rng.bytes(int(rng.integers(1, 40)))
                case _:
                    data = data[: max(at, 130)]
        try:
            picture = decode_image(bytes(data), "mutant")
        except ImageError:
            outcomes["refused"] += 1
        else:
            assert picture.ndim == 3
            assert picture.shape[2] == 3
            assert picture.dtype == np.uint8
            outcomes["read"] += 1
    assert min(outcomes.values()) > 10, outcomes
