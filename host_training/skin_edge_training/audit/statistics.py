"""Figures that know nothing of a lesion: mean colours, corners, sharpness, how the file was coded.

A network can use all of them. Where they alone tell the label, a high score on the set says little.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np

from skin_edge_training.audit.frames import FloatArray, Uint8Array

SMALL_PX = 32
CORNER_PX = 5

CHANNELS = ("red", "green", "blue", "lightness", "a", "b", "saturation", "value")
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)

#: Families of figures by the first part of their names.
FAMILIES = ("colour", "border", "compression")


def trivial_statistics(rgb: Uint8Array, data: bytes) -> dict[str, float]:
    """Return the figures of an (H, W, 3) uint8 RGB picture and of the bytes of its file."""
    small = np.asarray(cv2.resize(rgb, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA), np.float32)
    return colour(small) | border(small) | compression(rgb, data)


def colour(small: FloatArray) -> dict[str, float]:
    """Mean, spread and tails of each channel of RGB, L*a*b* and HSV of (32, 32, 3)."""
    unit = np.asarray(small / 255, np.float32)
    lab, hsv = cv2.cvtColor(unit, cv2.COLOR_RGB2LAB), cv2.cvtColor(unit, cv2.COLOR_RGB2HSV)
    planes = np.concatenate([small, lab, hsv[..., 1:]], axis=2).reshape(-1, len(CHANNELS))
    figures: dict[str, float] = {}
    tails = np.percentile(planes, PERCENTILES, axis=0)
    for channel, name in enumerate(CHANNELS):
        figures[f"colour.{name}.mean"] = float(planes[:, channel].mean())
        figures[f"colour.{name}.spread"] = float(planes[:, channel].std())
        for percent, row in zip(PERCENTILES, tails, strict=True):
            figures[f"colour.{name}.p{percent}"] = float(row[channel])
    return figures


def border(small: FloatArray) -> dict[str, float]:
    """Colours of the four corners and of the outermost ring, and how they differ from the centre."""
    near, far = slice(0, CORNER_PX), slice(SMALL_PX - CORNER_PX, SMALL_PX)
    corners = np.stack([small[y, x].reshape(-1, 3) for y in (near, far) for x in (near, far)])
    means, spreads = corners.mean(axis=1), np.sort(corners.std(axis=1), axis=0)
    ordered = np.sort(means, axis=0)
    ring = np.concatenate([small[0], small[-1], small[1:-1, 0], small[1:-1, -1]])
    quarter = SMALL_PX // 4
    centre = small[quarter:-quarter, quarter:-quarter].reshape(-1, 3)
    figures = {"border.dark": float((ring.mean(axis=1) < 60).mean())}
    for channel, name in enumerate(CHANNELS[:3]):
        figures[f"border.ring.{name}"] = float(ring[:, channel].mean())
        figures[f"border.ring.{name}.spread"] = float(ring[:, channel].std())
        figures[f"border.centre.{name}"] = float(centre[:, channel].mean() - means[:, channel].mean())
        for corner in range(4):
            figures[f"border.corner{corner}.{name}"] = float(means[corner, channel])
            figures[f"border.rank{corner}.{name}"] = float(ordered[corner, channel])
            figures[f"border.spread{corner}.{name}"] = float(spreads[corner, channel])
    return figures


def compression(rgb: Uint8Array, data: bytes) -> dict[str, float]:
    """Size of picture and file, quantisation, block edges and sharpness."""
    height, width = rgb.shape[:2]
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    steps = np.abs(np.diff(grey.astype(np.float32), axis=1))
    edges = steps[:, 7::8].mean() if width > 8 else 0.0
    return {
        "compression.width": float(width),
        "compression.height": float(height),
        "compression.bits_per_pixel": 8.0 * len(data) / (height * width),
        "compression.quantisation": jpeg_quantisation(data),
        "compression.block_edges": float(edges / max(float(steps.mean()), 1e-3)) if steps.size else 0.0,
        "compression.sharpness": float(np.log1p(cv2.Laplacian(grey, cv2.CV_32F).var())),
    }


def jpeg_quantisation(data: bytes) -> float:
    """Return the mean of the quantisation tables of a JPEG file, 0 for other files."""
    if data[:2] != b"\xff\xd8":
        return 0.0
    at, values = 2, bytearray()
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        if data[at + 1] == 0xDB:
            table = data[at + 4 : at + 2 + length]
            while len(table) >= 65 and table[0] < 16:  # 8-bit tables
                values += table[1:65]
                table = table[65:]
        at += 2 + max(length, 2)
    return sum(values) / len(values) if values else 0.0
