"""The six stages as one: any frame in, one finite tensor out, and each stage can be off."""

from __future__ import annotations

from itertools import product

import msgspec
import numpy as np
import pytest
from drawn_skin import drawn_skin, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_cases import BILATERAL, COLOUR, CONTRAST, HAIR, MEDIAN, STAGE_SPECS

from skin_edge.errors import ImageError, ModelError
from skin_edge.preprocess.normalise import normalise
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.preprocess.spec import (
    ColourConstancy,
    Contrast,
    CropResize,
    Denoise,
    HairRemoval,
    Normalisation,
    PreprocessSpec,
)

ALL_STAGES = ("crop_resize", "hair_removal", "denoise", "colour_constancy", "contrast")
ALL_ON = [Preprocessor(STAGE_SPECS[name]) for name in ("all", "all_bilateral")]

CONTENTS = {
    "skin": lambda h, w: drawn_skin(h, w, seed=h * 7 + w, hairs=3),
    "noise": lambda h, w: noise(h, w, seed=h * 7 + w),
    "grey": lambda h, w: noise(h, w, seed=h)[..., :1].repeat(3, 2),
    "constant": lambda h, w: np.full((h, w, 3), (200, 150, 130), np.uint8),
    "black": lambda h, w: np.zeros((h, w, 3), np.uint8),
    "white": lambda h, w: np.full((h, w, 3), 255, np.uint8),
    "one channel": lambda h, w: noise(h, w, seed=w) * np.array([1, 0, 0], np.uint8),
}

# Each gives a view with the pixels of its argument.
LAYOUTS = {
    "contiguous": lambda a: a,
    "fortran": np.asfortranarray,
    "read-only": lambda a: _read_only(a),
    "cut out": lambda a: np.pad(a, ((3, 2), (5, 1), (0, 0)))[3:-2, 5:-1],
    "every second": lambda a: a.repeat(2, 0).repeat(2, 1)[::2, ::2],
    "upside down": lambda a: a[::-1].copy()[::-1],
    "mirrored": lambda a: a[:, ::-1].copy()[:, ::-1],
    "BGR as RGB": lambda a: a[..., ::-1].copy()[..., ::-1],
    "of four channels": lambda a: np.dstack([a, a[..., :1]])[..., :3],
    "planes": lambda a: np.ascontiguousarray(a.transpose(2, 0, 1)).transpose(1, 2, 0),
}


def _read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _check(preprocessor: Preprocessor, image: np.ndarray) -> np.ndarray:
    before = image.copy()
    tensor = preprocessor(image)
    size = preprocessor.spec.crop_resize.size_px
    assert tensor.shape == (size, size, 3)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert np.isfinite(tensor).all()
    np.testing.assert_array_equal(image, before)
    return tensor


@given(
    height=st.integers(16, 700),
    width=st.integers(16, 900),
    content=st.sampled_from(sorted(CONTENTS)),
    layout=st.sampled_from(sorted(LAYOUTS)),
    preprocessor=st.sampled_from(ALL_ON),
)
@settings(max_examples=80, deadline=None)
def test_any_frame_gives_the_same_finite_tensor_in_any_layout(
    height: int, width: int, content: str, layout: str, preprocessor: Preprocessor
) -> None:
    image = CONTENTS[content](height, width)
    tensor = _check(preprocessor, LAYOUTS[layout](image))
    np.testing.assert_array_equal(tensor, preprocessor(np.ascontiguousarray(image)))


@pytest.mark.parametrize("shape", [(3000, 4000), (4000, 3000), (2999, 16), (16, 4000), (16, 16)])
@pytest.mark.parametrize("content", ["skin", "white"])
def test_smallest_and_largest_frames(shape: tuple[int, int], content: str) -> None:
    tile = CONTENTS[content](min(shape[0], 500), min(shape[1], 500))
    image = np.tile(tile, (-(-shape[0] // tile.shape[0]), -(-shape[1] // tile.shape[1]), 1))[
        : shape[0], : shape[1]
    ]
    _check(ALL_ON[0], image)


@given(
    spec=st.builds(
        PreprocessSpec,
        crop_resize=st.builds(
            CropResize, size_px=st.sampled_from([16, 17, 64, 96]), crop_fraction=st.floats(0.01, 1.0)
        ),
        hair_removal=st.builds(
            HairRemoval,
            enabled=st.booleans(),
            kernel_px=st.sampled_from([3, 9, 63]),
            threshold=st.sampled_from([1, 12, 255]),
            inpaint=st.sampled_from(["ns", "telea"]),
            radius_px=st.integers(1, 16),
            max_coverage=st.floats(0.01, 0.5),
        ),
        denoise=st.builds(
            Denoise,
            enabled=st.booleans(),
            method=st.sampled_from(["median", "bilateral"]),
            kernel_px=st.sampled_from([3, 5, 21]),
            sigma_colour=st.floats(0.001, 255.0),
        ),
        colour_constancy=st.builds(
            ColourConstancy,
            enabled=st.booleans(),
            minkowski_p=st.integers(1, 16),
            max_gain=st.floats(1.0, 8.0),
        ),
        contrast=st.builds(
            Contrast, enabled=st.booleans(), clip_limit=st.floats(0.001, 40.0), tiles=st.integers(1, 32)
        ),
        normalisation=st.builds(
            Normalisation,
            mean=st.tuples(*[st.floats(-1000, 1000)] * 3),
            std=st.tuples(*[st.floats(0.01, 1000)] * 3),
        ),
    ),
    content=st.sampled_from(sorted(CONTENTS)),
)
@settings(max_examples=60, deadline=None)
def test_any_spec_runs(spec: PreprocessSpec, content: str) -> None:
    _check(Preprocessor(spec), CONTENTS[content](110, 140))


@pytest.mark.parametrize("switches", list(product([False, True], repeat=6)))
def test_every_combination_of_switches(switches: tuple[bool, ...]) -> None:
    crop, hair, noise_filter, colour, contrast, normalisation = switches
    spec = PreprocessSpec(
        crop_resize=CropResize(enabled=crop),
        hair_removal=msgspec.structs.replace(HAIR, enabled=hair),
        denoise=msgspec.structs.replace(BILATERAL, enabled=noise_filter),
        colour_constancy=msgspec.structs.replace(COLOUR, enabled=colour),
        contrast=msgspec.structs.replace(CONTRAST, enabled=contrast),
        normalisation=Normalisation(enabled=normalisation),
    )
    preprocessor = Preprocessor(spec)
    image = drawn_skin(300 if crop else 128, 400 if crop else 128, hairs=2, cast=(1.0, 0.9, 0.7))
    expected = image
    for name, stage in preprocessor.stages:
        changed = stage(expected)
        assert changed.shape != expected.shape or (changed != expected).any(), f"{name} did nothing"
        expected = changed
    names = tuple(name for name, on in zip(ALL_STAGES, switches[:5], strict=True) if on)
    assert tuple(name for name, _ in preprocessor.stages) == names
    np.testing.assert_array_equal(preprocessor.to_image(image), expected)
    np.testing.assert_array_equal(_check(preprocessor, image), normalise(expected, spec.normalisation))


def test_all_off_is_the_identity_in_a_new_array() -> None:
    spec = PreprocessSpec(
        crop_resize=CropResize(enabled=False, size_px=64), normalisation=Normalisation(enabled=False)
    )
    preprocessor, image = Preprocessor(spec), noise(64, 64)
    for result in (
        preprocessor.to_image(image),
        preprocessor.stages_after_resize(image),
        preprocessor(image),
    ):
        np.testing.assert_array_equal(result, image)
        assert not np.shares_memory(result, image)


@pytest.mark.parametrize("preprocessor", ALL_ON)
def test_training_and_device_take_the_same_way(preprocessor: Preprocessor) -> None:
    frame = drawn_skin(300, 400, hairs=2)
    resized = dict(preprocessor.stages)["crop_resize"](frame)
    trained = preprocessor.normalise(preprocessor.stages_after_resize(resized))
    np.testing.assert_array_equal(trained, preprocessor(frame))


@pytest.mark.parametrize("preprocessor", ALL_ON)
def test_one_object_gives_the_same_again_and_like_a_fresh_one(preprocessor: Preprocessor) -> None:
    frame = drawn_skin(300, 400, hairs=2)
    first = preprocessor(frame)
    preprocessor(noise(500, 200))
    np.testing.assert_array_equal(preprocessor(frame), first)
    np.testing.assert_array_equal(Preprocessor(preprocessor.spec)(frame), first)


def test_writes_into_the_given_array() -> None:
    out = np.full((128, 128, 3), np.nan, np.float32)
    frame = drawn_skin(200, 200)
    assert np.shares_memory(ALL_ON[0](frame, out), out)
    np.testing.assert_array_equal(out, ALL_ON[0](frame))


@pytest.mark.parametrize("shape", [(100, 128, 3), (128, 100, 3), (256, 256, 3)])
def test_without_crop_resize_the_size_must_be_right(shape: tuple[int, int, int]) -> None:
    preprocessor = Preprocessor(PreprocessSpec(crop_resize=CropResize(enabled=False)))
    with pytest.raises(ImageError, match=f"expected .* 128x128 pixels, got {shape[1]}x{shape[0]}"):
        preprocessor(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("method", ["stages_after_resize", "normalise"])
def test_resized_image_must_have_the_size_of_the_spec(method: str) -> None:
    with pytest.raises(ImageError, match=r"expected .* 128x128 pixels, got 64x64"):
        getattr(ALL_ON[0], method)(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize(
    "frame",
    [np.zeros((200, 200), np.uint8), np.zeros((200, 200, 3), np.uint16), np.zeros((0, 9, 3), np.uint8)],
)
def test_frames_of_another_kind_are_refused(frame: np.ndarray) -> None:
    with pytest.raises(ImageError, match="uint8 RGB") as caught:
        ALL_ON[0](frame)
    assert "\n" not in str(caught.value)


def test_spec_of_another_algorithm_version_is_refused() -> None:
    with pytest.raises(ModelError, match="algorithm version 2") as caught:
        Preprocessor(PreprocessSpec(algorithm_version=2))
    assert caught.value.code == "preprocess-version"


def test_spec_with_a_value_out_of_bounds_is_refused() -> None:
    with pytest.raises(ModelError, match=r"contrast\.tiles") as caught:
        Preprocessor(PreprocessSpec(contrast=Contrast(tiles=0)))
    assert caught.value.code == "preprocess-spec"


def test_fingerprint_is_the_specs() -> None:
    assert ALL_ON[0].fingerprint == STAGE_SPECS["all"].fingerprint() != ALL_ON[1].fingerprint


def test_median_case_is_the_one_that_is_on() -> None:
    assert ALL_ON[0].spec.denoise == MEDIAN
