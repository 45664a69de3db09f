"""Drawn surfaces that a camera meets when it is not at the skin: walls, wood, cloth, paper, charts, screens.

Some are tinted like skin on purpose: a gate that looks for the colour alone would let them pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]
Rng = np.random.Generator

SIDE_PX = 320


def _cloud(rng: Rng, sigma: tuple[float, float]) -> Floats:
    """Smoothed noise of unit variance."""
    field = cv2.GaussianBlur(rng.normal(size=(SIDE_PX, SIDE_PX)), (0, 0), sigma[0], sigmaY=sigma[1])
    return np.asarray((field - field.mean()) / field.std())


def _surface(colour: tuple[float, float, float], relief: Floats, rng: Rng) -> Rgb:
    """A surface of one colour and a relief in grey levels, lit from one side, with the sensor's noise."""
    y, x = np.mgrid[-1 : 1 : SIDE_PX * 1j, -1 : 1 : SIDE_PX * 1j]
    turn = rng.uniform(0.0, 2.0 * np.pi)
    light = 1.0 + rng.uniform(0.0, 0.2) * (x * np.cos(turn) + y * np.sin(turn))
    shade = (1.0 + relief / 128.0) * light
    picture = np.array(colour) * shade[:, :, None] + rng.normal(0.0, 2.0, (SIDE_PX, SIDE_PX, 3))
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def _colour(rng: Rng, low: tuple[int, int, int], high: tuple[int, int, int]) -> tuple[float, float, float]:
    red, green, blue = rng.uniform(low, high)
    return float(red), float(green), float(blue)


def plaster(rng: Rng) -> Rgb:
    """A wall from white to beige."""
    relief = 10.0 * _cloud(rng, (1.2, 1.2)) + 4.0 * _cloud(rng, (8.0, 8.0))
    return _surface(_colour(rng, (170, 160, 140), (225, 215, 205)), relief, rng)


def wood(rng: Rng) -> Rgb:
    relief = 14.0 * _cloud(rng, (1.2, 40.0)) + 10.0 * _cloud(rng, (5.0, 80.0))
    return _surface(_colour(rng, (130, 85, 50), (200, 150, 100)), relief, rng)


def paper(rng: Rng) -> Rgb:
    return _surface(_colour(rng, (215, 215, 210), (240, 240, 240)), 2.0 * _cloud(rng, (0.8, 0.8)), rng)


def blue_cloth(rng: Rng) -> Rgb:
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    pitch = rng.uniform(4.0, 9.0)
    weave = np.sin(2 * np.pi * x / pitch) * np.sin(2 * np.pi * y / pitch)
    relief = 22.0 * weave + 8.0 * _cloud(rng, (12.0, 12.0))
    return _surface(_colour(rng, (20, 50, 110), (70, 110, 190)), relief, rng)


def skin_coloured_cloth(rng: Rng) -> Rgb:
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    pitch = rng.uniform(4.0, 9.0)
    weave = np.sin(2 * np.pi * x / pitch) * np.sin(2 * np.pi * y / pitch)
    relief = 16.0 * weave + 6.0 * _cloud(rng, (12.0, 12.0))
    return _surface(_colour(rng, (190, 130, 115), (230, 175, 160)), relief, rng)


def colour_chart(rng: Rng) -> Rgb:
    picture = np.full((SIDE_PX, SIDE_PX, 3), 40.0)
    for top in range(10, SIDE_PX - 60, 78):
        for left in range(10, SIDE_PX - 60, 78):
            picture[top : top + 64, left : left + 64] = rng.uniform(20, 235, 3)
    return np.clip(np.round(picture + rng.normal(0, 2, picture.shape)), 0, 255).astype(np.uint8)


def screen(rng: Rng) -> Rgb:
    """A window with text, seen through the grid of a display."""
    dark = bool(rng.integers(2))
    window = np.full((SIDE_PX, SIDE_PX, 3), 32 if dark else 225, np.uint8)
    cv2.rectangle(window, (0, 0), (SIDE_PX, 34), tuple(map(float, rng.uniform(40, 200, 3))), -1)
    ink = tuple(map(float, rng.uniform(160, 230, 3) if dark else rng.uniform(10, 90, 3)))
    for line in range(60, SIDE_PX, 22):
        text = "".join(rng.choice(list("abcdefghijkl mnopqrstu 0123456789"), rng.integers(8, 30)))
        cv2.putText(window, text, (10, line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, ink, 1, cv2.LINE_AA)
    grid = np.ones((SIDE_PX, 1, 3))
    grid[::3] = 0.8
    columns = np.ones((1, SIDE_PX, 3))
    columns[:, 0::3, 1:] *= 0.9
    columns[:, 1::3, ::2] *= 0.9
    columns[:, 2::3, :2] *= 0.9
    picture = window * grid * columns + rng.normal(0, 2, window.shape)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


SURFACES: Mapping[str, Callable[[Rng], Rgb]] = {
    "wall": plaster,
    "wood": wood,
    "paper": paper,
    "blue cloth": blue_cloth,
    "skin-coloured cloth": skin_coloured_cloth,
    "colour chart": colour_chart,
    "screen": screen,
}
