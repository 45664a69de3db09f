"""Golden vectors: made, read without trust, and compared."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from skin_edge.errors import BundleError
from skin_edge.model.bundle import open_bundle
from skin_edge.model.golden import check_golden, make_golden, read_golden
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor

MakeBundle = Callable[..., Path]
Arrays = dict[str, Any]


@pytest.fixture
def arrays(parts: Any) -> Arrays:
    """The good golden arrays, writable."""
    return {name: array.copy() for name, array in read_golden(parts.golden).items()}


@pytest.fixture
def network(parts: Any) -> Network:
    return Network(parts.model, (32, 32, 3))


def packed(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_reproducible_and_as_run(parts: Any, network: Network, arrays: Arrays) -> None:
    spec = parts.manifest.preprocess
    again = make_golden(list(arrays["frames"]), Preprocessor(spec), network)
    assert again == parts.golden
    assert arrays["frames"].shape == (2, 40, 48, 3)
    assert arrays["images"].shape == (2, 32, 32, 3)
    assert arrays["activation_maps"].shape == (2, 8, 8)
    np.testing.assert_array_equal(arrays["images"][0], Preprocessor(spec).to_image(arrays["frames"][0]))


def test_numpy_reads_it_too(parts: Any, arrays: Arrays) -> None:
    with np.load(io.BytesIO(parts.golden), allow_pickle=False) as loaded:
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[name], array)


def test_frames_of_several_sizes_are_refused(parts: Any, network: Network) -> None:
    several = [np.zeros((40, 40, 3), np.uint8), np.zeros((41, 40, 3), np.uint8)]
    for frames in (several, []):
        with pytest.raises(BundleError, match="one size"):
            make_golden(frames, Preprocessor(parts.manifest.preprocess), network)


def check(make_bundle: MakeBundle, parts: Any, network: Network, arrays: Arrays) -> Any:
    bundle = open_bundle(make_bundle(golden=packed(arrays)))
    return check_golden(bundle, network, Preprocessor(parts.manifest.preprocess))


def test_small_differences_pass_and_are_reported(
    make_bundle: MakeBundle, parts: Any, network: Network, arrays: Arrays
) -> None:
    arrays["logits"][1] += 5e-4
    arrays["activation_maps"][0, 3, 3] -= 4e-4
    report = check(make_bundle, parts, network, arrays)
    assert report.count == 2
    assert report.max_logit_difference == pytest.approx(5e-4, abs=1e-6)
    assert report.max_activation_map_difference == pytest.approx(4e-4, abs=1e-6)
    assert report.max_image_difference == 0


def test_a_grey_level_passes_two_do_not(
    make_bundle: MakeBundle, parts: Any, network: Network, arrays: Arrays
) -> None:
    image = arrays["images"][0]
    pixel = (5, 5, 0)
    step = 1 if image[pixel] < 200 else -1
    tensor = Preprocessor(parts.manifest.preprocess).normalise

    def shifted(levels: int) -> Arrays:
        changed = {name: array.copy() for name, array in arrays.items()}
        changed["images"][0][pixel] += np.uint8(step * levels % 256)
        prediction = network.predict(tensor(changed["images"][0]))
        changed["logits"][0], changed["activation_maps"][0] = prediction.logit, prediction.activation_map
        return changed

    assert check(make_bundle, parts, network, shifted(1)).max_image_difference == 1
    with pytest.raises(BundleError, match="preprocessing differs by 2 grey levels"):
        check(make_bundle, parts, network, shifted(2))


@pytest.mark.parametrize(
    ("name", "said"),
    [("logits", "the logit differs by"), ("activation_maps", "the activation map differs by")],
)
def test_other_results_are_refused(
    make_bundle: MakeBundle, parts: Any, network: Network, arrays: Arrays, name: str, said: str
) -> None:
    arrays[name].flat[-1] += 2e-3
    with pytest.raises(BundleError, match=said):
        check(make_bundle, parts, network, arrays)


def test_arrays_for_another_network_are_refused(
    make_bundle: MakeBundle, parts: Any, network: Network, arrays: Arrays
) -> None:
    with pytest.raises(BundleError, match="images have shape"):
        check(make_bundle, parts, network, arrays | {"images": arrays["images"][:, :16]})
    with pytest.raises(BundleError, match="activation maps are"):
        check(make_bundle, parts, network, arrays | {"activation_maps": arrays["activation_maps"][:, :4]})


BAD_ARRAYS: dict[str, Callable[[Arrays], Arrays]] = {
    "missing": lambda a: {k: v for k, v in a.items() if k != "logits"},
    "extra": lambda a: a | {"more": np.zeros(3)},
    "lengths": lambda a: a | {"logits": a["logits"][:1]},
    "empty": lambda a: {k: v[:0] for k, v in a.items()},
    "grey": lambda a: a | {"frames": a["frames"][..., :1]},
    "float64": lambda a: a | {"logits": a["logits"].astype(np.float64)},
    "big endian": lambda a: a | {"logits": a["logits"].astype(">f4")},
    "fortran": lambda a: a | {"frames": np.asfortranarray(a["frames"])},
    "rank": lambda a: a | {"logits": a["logits"][:, None]},
    "nan": lambda a: a | {"logits": a["logits"] * np.float32(np.nan)},
    "infinite map": lambda a: a | {"activation_maps": a["activation_maps"] + np.float32(np.inf)},
    "pickle": lambda a: a | {"logits": np.array([{}, {}], dtype=object)},
    "structured": lambda a: a | {"logits": np.zeros(2, dtype=[("x", "<f4")])},
    "bomb": lambda a: a | {"frames": np.zeros((2, 5000, 5000, 3), np.uint8)},
}


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_other_arrays_are_refused(arrays: Arrays, kind: str) -> None:
    with pytest.raises(BundleError, match=r"^golden\.npz: "):
        read_golden(packed(BAD_ARRAYS[kind](arrays)))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x02\x00\x10\x00\x00\x00{}",
        b"\x93NUMPY\x01\x00\xff\xff{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n",
        b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999,), }",
        b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 118,
        b"\x93NUMPY\x01\x00\x76\x00" + b"__import__('os').system('id')".ljust(117) + b"\n",
    ],
)
def test_a_strange_npy_header_is_refused(arrays: Arrays, header: bytes) -> None:
    buffer = io.BytesIO(packed({k: v for k, v in arrays.items() if k != "logits"}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("logits.npy", header)
    with pytest.raises(BundleError, match=r"golden\.npz: logits"):
        read_golden(buffer.getvalue())


def test_a_report_is_plain_data(parts: Any, network: Network, good_bundle: Path) -> None:
    report = check_golden(open_bundle(good_bundle), network, Preprocessor(parts.manifest.preprocess))
    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report
