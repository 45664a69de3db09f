"""Stage 6: the numbers that the network sees."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_skin import noise

from skin_edge.errors import ImageError
from skin_edge.preprocess.normalise import normalise
from skin_edge.preprocess.spec import Normalisation

SPEC = Normalisation(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))


def test_every_grey_level_of_every_channel() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    expected = (levels - np.array(SPEC.mean)) / np.array(SPEC.std)
    np.testing.assert_array_equal(normalise(levels, SPEC), expected.astype(np.float32))


def test_off_gives_the_grey_levels() -> None:
    image = noise(32, 32)
    result = normalise(image, Normalisation(enabled=False))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, image)


def test_writes_into_a_tensor_of_the_network() -> None:
    image = noise(32, 32)
    tensor = np.full((1, 32, 32, 3), np.nan, np.float32)
    result = normalise(image, SPEC, tensor[0])
    assert np.shares_memory(result, tensor)
    np.testing.assert_array_equal(tensor[0], normalise(image, SPEC))


def _read_only() -> np.ndarray:
    out = np.zeros((32, 32, 3), np.float32)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((32, 31, 3), np.float32),
        np.zeros((32, 32, 3), np.float64),
        np.zeros((3, 32, 32), np.float32).transpose(1, 2, 0),
        _read_only(),
    ],
)
def test_array_that_cannot_be_written_to_is_refused(out: np.ndarray) -> None:
    with pytest.raises(ImageError, match="float32 array to write to"):
        normalise(noise(32, 32), SPEC, out)
