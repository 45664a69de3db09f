"""The spec as data: its fingerprint names it, YAML carries it, and bad values stop at the door."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from skin_edge.preprocess.spec import CropResize, Denoise, HairRemoval, PreprocessSpec
from skin_edge.strict import SchemaError, convert, dump_yaml, parse_yaml

# Bundles in the field carry this: a change here makes every one of them refuse to load.
DEFAULT_FINGERPRINT = "f156cf31302be84d68e1755c5e8bee534a9276f4ba99e4284439b8f45cdda0ae"

OTHER_VALUES: dict[str, Any] = {
    "algorithm_version": 2,
    "crop_resize.size_px": 160,
    "crop_resize.crop_fraction": 0.9,
    "hair_removal.kernel_px": 11,
    "hair_removal.threshold": 13,
    "hair_removal.inpaint": "telea",
    "hair_removal.radius_px": 3,
    "hair_removal.max_coverage": 0.2,
    "denoise.method": "bilateral",
    "denoise.kernel_px": 5,
    "denoise.sigma_colour": 21.0,
    "colour_constancy.minkowski_p": 5,
    "colour_constancy.max_gain": 2.0,
    "contrast.clip_limit": 2.5,
    "contrast.tiles": 7,
    "normalisation.mean": [127.0, 127.0, 127.5],
    "normalisation.std": [128.0, 128.0, 127.0],
}


def _parameters() -> Iterator[str]:
    for key, value in msgspec.to_builtins(PreprocessSpec()).items():
        if isinstance(value, dict):
            yield from (f"{key}.{name}" for name in value)
        else:
            yield key


def _with(path: str, value: Any) -> PreprocessSpec:
    data = msgspec.to_builtins(PreprocessSpec())
    *parents, last = path.split(".")
    target = data
    for parent in parents:
        target = target[parent]
    target[last] = value
    return convert(data, PreprocessSpec)


def test_default_fingerprint_is_what_bundles_carry() -> None:
    assert PreprocessSpec().fingerprint() == DEFAULT_FINGERPRINT


@pytest.mark.parametrize("path", list(_parameters()))
def test_every_parameter_changes_the_fingerprint(path: str) -> None:
    value = OTHER_VALUES.get(path)
    if value is None:
        stage, name = path.split(".")
        value = not getattr(getattr(PreprocessSpec(), stage), name)
    assert _with(path, value).fingerprint() != DEFAULT_FINGERPRINT


@pytest.mark.parametrize("path", sorted(OTHER_VALUES))
def test_yaml_round_trip_keeps_spec_and_fingerprint(path: str) -> None:
    spec = _with(path, OTHER_VALUES[path])
    read = convert(parse_yaml(dump_yaml(spec)), PreprocessSpec)
    assert read == spec
    assert read.fingerprint() == spec.fingerprint()


def test_whole_number_written_for_a_float_is_the_same_spec() -> None:
    assert PreprocessSpec(crop_resize=CropResize(crop_fraction=1)).fingerprint() == DEFAULT_FINGERPRINT


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("denoise: {kernel_px: 4}", "denoise"),
        ("hair_removal: {kernel_px: 8}", "hair_removal"),
        ("hair_removal: {kernel_px: 65}", "hair_removal.kernel_px"),
        ("crop_resize: {size_px: 8}", "crop_resize.size_px"),
        ("crop_resize: {crop_fraction: .nan}", "crop_resize.crop_fraction"),
        ("normalisation: {mean: [0, .inf, 0]}", "normalisation.mean[1]"),
        ("normalisation: {std: [1, 1, 0]}", "normalisation.std[2]"),
        ("normalisation: {std: [.nan, 1, 1]}", "normalisation.std[0]"),
        ("contrast: {clip_limit: -1}", "contrast.clip_limit"),
        ("colour_constancy: {minkowski_p: 6.5}", "colour_constancy.minkowski_p"),
    ],
)
def test_value_out_of_bounds_is_refused_with_its_path(text: str, path: str) -> None:
    with pytest.raises(SchemaError) as caught:
        convert(parse_yaml(text), PreprocessSpec)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("stage", [HairRemoval, Denoise])
def test_even_kernel_is_refused_in_code_too(stage: type[HairRemoval] | type[Denoise]) -> None:
    with pytest.raises(ValueError, match="odd"):
        stage(kernel_px=6)


def test_reading_a_spec_does_not_load_opencv() -> None:
    code = "import skin_edge.preprocess, sys; sys.exit(bool({'cv2', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
