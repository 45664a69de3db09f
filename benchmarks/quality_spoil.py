"""Spoiling good pictures on purpose, each in the way that one reason of the quality gate is there for."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]
Rng = np.random.Generator
Spoil = Callable[[Rgb, Rng], Rgb]

#: Absorption of melanin at about 620, 545 and 460 nm over that at 460 nm: it falls with the wavelength to
#: the power of -3.3 (Jacques 2013).
MELANIN = np.array([0.37, 0.57, 1.0])


def central(rgb: Rgb) -> Rgb:
    """The central square, as a picture of its own."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(rgb[top : top + side, left : left + side])


def noisy(image: npt.NDArray[np.floating], sd: float, rng: Rng) -> Rgb:
    noise = rng.normal(0.0, sd, image.shape) if sd else 0.0
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def blurred(part: float, noise_sd: float = 0.0) -> Spoil:
    """Gaussian blur with a sigma of `part` of the shorter side, then the sensor's noise in grey levels."""

    def spoil(rgb: Rgb, rng: Rng) -> Rgb:
        soft = cv2.GaussianBlur(rgb, (0, 0), part * min(rgb.shape[:2])) if part else rgb
        return noisy(np.asarray(soft, np.float32), noise_sd, rng)

    return spoil


def moved(part: float, noise_sd: float = 0.0) -> Spoil:
    """Even motion over `part` of the shorter side in a random direction, then noise."""

    def spoil(rgb: Rgb, rng: Rng) -> Rgb:
        length, angle, fine = part * min(rgb.shape[:2]), rng.uniform(0.0, np.pi), 8
        size = 2 * int(np.ceil(length / 2)) + 3
        kernel = np.zeros((size * fine, size * fine), np.float32)
        reach = np.array([np.cos(angle), np.sin(angle)]) * length * fine / 2
        ends = [tuple(int(v) for v in np.round(size * fine / 2 + sign * reach)) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, fine)
        kernel = np.asarray(cv2.resize(kernel, (size, size), interpolation=cv2.INTER_AREA), np.float32)
        return noisy(cv2.filter2D(rgb, cv2.CV_32F, kernel / kernel.sum()), noise_sd, rng)

    return spoil


def lit(gain: float, noise_sd: float = 0.0) -> Spoil:
    return lambda rgb, rng: noisy(rgb.astype(np.float32) * gain, noise_sd, rng)


def scaled(side_px: int) -> Spoil:
    def spoil(rgb: Rgb, rng: Rng) -> Rgb:
        factor = side_px / min(rgb.shape[:2])
        return np.asarray(cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)

    return spoil


def glared(low: float, high: float) -> Spoil:
    """One to four saturated, soft-edged ellipses near the middle, `low` to `high` of the square in all."""

    def spoil(rgb: Rgb, rng: Rng) -> Rgb:
        height, width = rgb.shape[:2]
        side = min(height, width)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        cover = np.zeros((height, width), np.float32)
        for share in rng.dirichlet(np.full(rng.integers(1, 5), 3.0)):
            radius = side * np.sqrt(share * rng.uniform(low, high) / np.pi)
            stretch, turn = np.sqrt(rng.uniform(1.0, 2.5)), rng.uniform(0.0, np.pi)
            at_y = y - height / 2 - rng.uniform(-0.2, 0.2) * side
            at_x = x - width / 2 - rng.uniform(-0.2, 0.2) * side
            along = (at_x * np.cos(turn) + at_y * np.sin(turn)) / (radius * stretch)
            across = (at_y * np.cos(turn) - at_x * np.sin(turn)) / (radius / stretch)
            edge = np.clip(8.0 * (np.hypot(along, across) - 1.0), -30.0, 30.0)
            cover = np.maximum(cover, 1.0 / (1.0 + np.exp(edge)))
        return noisy(rgb + (300.0 - rgb) * cover[:, :, None], 0.0, rng)

    return spoil


def toned(low: float, high: float, cast: float = 0.0) -> Spoil:
    """More melanin (Lambert-Beer, on linear light; 1.6 is very dark skin), and a cast of up to `cast`."""

    def spoil(rgb: Rgb, rng: Rng) -> Rgb:
        linear = (rgb / 255.0) ** 2.2 * np.exp(-rng.uniform(low, high) * MELANIN)
        gain = rng.uniform(1.0 - cast * np.array([1, 0.4, 1]), 1.0 + cast * np.array([1, 0.4, 1]))
        return np.round(255.0 * np.clip(linear * gain, 0.0, 1.0) ** (1 / 2.2)).astype(np.uint8)

    return spoil


def hue_turned(low_deg: int, high_deg: int) -> Spoil:
    def spoil(rgb: Rgb, rng: Rng) -> Rgb:
        hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
        turn = rng.integers(low_deg, high_deg + 1) // 2
        hsv[:, :, 0] = ((hsv[:, :, 0].astype(int) + turn) % 180).astype(np.uint8)
        return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)

    return spoil


def inverted(rgb: Rgb, rng: Rng) -> Rgb:
    return 255 - rgb


def bare_skin(rgb: Rgb, rng: Rng) -> Rgb | None:
    """A third of the picture's side that lies clear of the lesion, or None where there is no such place.

    The lesion is what Otsu's threshold finds dark in a smoothed green channel, with a margin; a dark surround
    counts as lesion too. Hairs, freckles and vessels stay.
    """
    side = min(rgb.shape[:2]) // 3
    smooth = cv2.GaussianBlur(rgb[:, :, 1], (0, 0), 0.02 * min(rgb.shape[:2]))
    _, mask = cv2.threshold(smooth, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    sums = cv2.integral(cv2.dilate(mask, np.ones((9, 9), np.uint8)))
    clear = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side] == 0
    places = np.argwhere(clear)
    if not len(places):
        return None
    top, left = places[rng.integers(len(places))]
    return np.ascontiguousarray(rgb[top : top + side, left : left + side])


def magnified(patch: Rgb, side_px: int) -> Rgb:
    """A patch enlarged: the light falls off as it did, the grain is too coarse."""
    return np.asarray(cv2.resize(patch, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.uint8)


def mirrored(patch: Rgb, side_px: int) -> Rgb:
    """A patch mirrored until it fills a square: the grain is as it was, the layout is not natural."""
    more = side_px - patch.shape[0]
    return np.pad(patch, ((0, more), (0, more), (0, 0)), mode="symmetric")
