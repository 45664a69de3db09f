"""What counts as no picture: measured on pictures that are some, and on what broken cameras send."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from skin_edge.camera.checks import FrameChecks
from skin_edge.camera.decode import read_image
from skin_edge.camera.discover import find_images
from skin_edge.camera.drawing import draw
from skin_edge.camera.driver import BadFrameError, DriverSettings, Rgb

RNG = np.random.default_rng(4)


def verdict(pixels: Rgb, settings: DriverSettings | None = None) -> str | None:
    try:
        FrameChecks(settings or DriverSettings()).check(pixels)
    except BadFrameError as error:
        return error.kind
    return None


def lesion(number: int = 0) -> Rgb:
    return draw(3, number).pixels


@pytest.mark.parametrize("number", range(12))
def test_a_picture_is_a_picture(number: int) -> None:
    assert verdict(lesion(number)) is None


def test_round_dark_surround_burnt_out_light_and_darkness_are_pictures() -> None:
    picture = lesion()
    y, x = np.ogrid[: picture.shape[0], : picture.shape[1]]
    outside = (y - 480) ** 2 + (x - 640) ** 2 > 400**2
    dark, bright = picture.copy(), picture.copy()
    dark[outside] = 0
    bright[outside] = 255
    assert verdict(dark) is None
    assert verdict(bright) is None
    assert verdict((picture // 12).astype(np.uint8)) is None


def test_colour_bars_with_text_are_a_picture() -> None:
    bars = np.repeat(np.arange(8, dtype=np.uint8)[None, :] * 32, 480, 0).repeat(80, 1)
    picture = np.ascontiguousarray(np.dstack([bars, bars[:, ::-1], 255 - bars]))
    cv2.putText(picture, "00:00:12:345 678", (10, 30), cv2.FONT_HERSHEY_PLAIN, 2, (255, 255, 255), 2)
    assert verdict(picture) is None


@pytest.mark.parametrize("level", [0, 3, 8])
def test_black(level: int) -> None:
    noise = RNG.integers(0, level + 1, (480, 640, 3), np.uint8)
    assert verdict(noise) == "black"
    assert verdict(noise, DriverSettings(check_black=False)) != "black"


@pytest.mark.parametrize("colour", [(0, 135, 0), (128, 128, 128), (200, 30, 90)])
def test_one_colour_is_garbage_and_at_the_end_a_tear(colour: tuple[int, int, int]) -> None:
    assert verdict(np.full((480, 640, 3), colour, np.uint8)) == "garbage"
    for rows in (60, 480, 900):
        picture = lesion()
        picture[-rows:] = colour
        assert verdict(picture) == "torn"


@pytest.mark.parametrize("kind", ["uniform", "normal", "coarse"])
def test_noise_is_garbage(kind: str) -> None:
    if kind == "uniform":
        noise = RNG.integers(0, 256, (480, 640, 3), np.uint8)
    elif kind == "normal":
        noise = RNG.normal(128, 60, (480, 640, 3)).clip(0, 255).astype(np.uint8)
    else:
        noise = RNG.integers(0, 2, (480, 640, 3), np.uint8) * np.uint8(200)
    assert verdict(noise) == "garbage"


def test_two_pictures_in_one_are_torn_but_an_edge_that_stays_is_the_scene() -> None:
    light, dark = lesion(3), (lesion(3)[::-1] // 2).astype(np.uint8)
    for at in (100, 480, 900):
        picture = light.copy()
        picture[at:] = dark[at:]
        checks = FrameChecks(DriverSettings())
        with pytest.raises(BadFrameError, match=f"meet at row {at}") as caught:
            checks.check(picture)
        assert caught.value.kind == "torn"
        checks.check(picture ^ np.uint8(1))
        checks.check(light)
        with pytest.raises(BadFrameError):
            checks.check(picture)


def test_what_is_not_looked_for_is_not_found() -> None:
    noise = RNG.integers(0, 256, (480, 640, 3), np.uint8)
    assert verdict(noise, DriverSettings(check_torn=False)) is None


def test_frozen_is_the_very_same_picture_and_a_changed_pixel_is_life() -> None:
    checks = FrameChecks(DriverSettings())
    picture = lesion()
    checks.check(picture)
    checks.check(picture)  # the sampled rows are the same; now the whole is remembered
    with pytest.raises(BadFrameError, match="bit for bit"):
        checks.check(picture)
    picture = picture.copy()
    picture[1, 1, 1] ^= 1  # outside the sampled rows
    checks.check(picture)
    with pytest.raises(BadFrameError):
        checks.check(picture)
    picture[0] ^= 1
    checks.check(picture)
    off = FrameChecks(DriverSettings(check_frozen=False))
    for _ in range(4):
        off.check(picture)


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 4000), (4000, 17), (31, 8)])
def test_any_size_can_be_looked_at(shape: tuple[int, int]) -> None:
    ramp = np.linspace(60, 120, shape[0] * shape[1] * 3).reshape(*shape, 3).astype(np.uint8)
    FrameChecks(DriverSettings()).check(np.ascontiguousarray(ramp))


@pytest.mark.data
def test_no_real_picture_is_taken_for_a_broken_one(data_dir: Path) -> None:
    images = find_images(data_dir / "ham10000")[::40]
    assert len(images) > 50
    refused = []
    for path in images:
        picture = read_image(path)
        checks = FrameChecks(DriverSettings())
        with contextlib.suppress(BadFrameError):  # a sharp edge in the scene, from the second picture on
            checks.check(picture)
        try:
            checks.check(picture ^ np.uint8(1))
        except BadFrameError as error:
            refused.append(f"{path.name}: {error}")
    assert refused == []
