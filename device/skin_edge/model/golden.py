"""golden.npz: a few frames with what they gave where the bundle was made, to prove parity on the target.

An .npy header is Python source and an .npz is a zip, so both are read here by a strict reader of our own:
nothing is evaluated, unpickled or allocated beyond the caps.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skin_edge.errors import BundleError, ImageError, ModelError
from skin_edge.model.bundle import Bundle, check_size
from skin_edge.model.manifest import GOLDEN_NAME
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.strict import Strict

#: Between runtimes and CPUs; fp16 weights unpacked to float32 differ by about 1e-6.
MAX_LOGIT_DIFFERENCE = 1e-3
MAX_MAP_DIFFERENCE = 1e-3
#: Between OpenCV versions.
MAX_IMAGE_DIFFERENCE = 1

#: Names, element types, ranks and unpacked sizes of the arrays.
_ARRAYS: dict[str, tuple[str, int, int]] = {
    "frames": ("|u1", 4, 32 * 1024 * 1024),
    "images": ("|u1", 4, 16 * 1024 * 1024),
    "logits": ("<f4", 1, 4 * 1024),
    "activation_maps": ("<f4", 3, 4 * 1024 * 1024),
}
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
_NPY_HEADER = re.compile(
    rb"\{'descr': '(?P<descr>[^']{2,4})', 'fortran_order': False, "
    rb"'shape': \((?P<shape>[0-9]{1,9}(?:, [0-9]{1,9})*),?\), \} *\n"
)
_HEADER_BYTES = 1024


class GoldenReport(Strict, frozen=True):
    """How far this machine is from the one that made the bundle.

    `max_image_difference` is in grey levels after stages one to five, the others in units of the logit.
    """

    count: int
    max_logit_difference: float
    max_activation_map_difference: float
    max_image_difference: int


def make_golden(
    frames: Sequence[npt.NDArray[np.uint8]], preprocessor: Preprocessor, network: Network
) -> bytes:
    """Return a golden.npz; the same inputs give the same bytes.

    Args:
        frames: (h, w, 3) uint8 RGB, all of one size: a handful, for the whole file is capped.
        preprocessor: of the bundle's spec.
        network: of the bundle's model.

    Raises:
        BundleError: too much for a bundle, or frames of several sizes.
        ImageError, ModelError: a frame that cannot be run.
    """
    if not frames or len({frame.shape for frame in frames}) != 1:
        raise BundleError(f"{GOLDEN_NAME}: needs at least one frame, and all of one size")
    images = [preprocessor.to_image(frame) for frame in frames]
    predictions = [network.predict(preprocessor.normalise(image)) for image in images]
    buffer = io.BytesIO()
    np.savez_compressed(  # dates every entry 1980
        buffer,
        frames=np.ascontiguousarray(np.stack(frames), np.uint8),
        images=np.ascontiguousarray(np.stack(images), np.uint8),
        logits=np.array([p.logit for p in predictions], "<f4"),
        activation_maps=np.ascontiguousarray(np.stack([p.activation_map for p in predictions]), "<f4"),
    )
    golden = buffer.getvalue()
    check_size(GOLDEN_NAME, len(golden))
    read_golden(golden)
    return golden


def read_golden(golden: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a golden.npz by name, read-only.

    ``frames`` (N, h, w, 3) uint8, ``images`` (N, S, S, 3) uint8, ``logits`` (N,) float32 and
    ``activation_maps`` (N, h, w) float32, all finite.

    Raises:
        BundleError: anything else.
    """
    from skin_edge.model.archive import read_zip

    caps = {f"{name}.npy": limit + _HEADER_BYTES for name, (_, _, limit) in _ARRAYS.items()}
    try:
        entries = read_zip(golden, caps)
        missing = [name for name in caps if name not in entries]
        if missing:
            raise BundleError(f"{missing[0]} is missing")
        arrays = {name: _read_npy(name, entries[f"{name}.npy"]) for name in _ARRAYS}
        counts = {name: len(array) for name, array in arrays.items()}
        if len(set(counts.values())) != 1 or 0 in counts.values():
            raise BundleError(f"the arrays are of different lengths or empty: {counts}")
        for name in ("frames", "images"):
            if arrays[name].shape[3] != 3:
                raise BundleError(f"{name}: expected RGB, got {arrays[name].shape[3]} channels")
        for name in ("logits", "activation_maps"):
            if not np.isfinite(arrays[name]).all():
                raise BundleError(f"{name}: not all finite")
    except BundleError as error:
        raise BundleError(f"{GOLDEN_NAME}: {error}") from None
    return arrays


def check_golden(bundle: Bundle, network: Network, preprocessor: Preprocessor) -> GoldenReport:
    """Run the golden vectors of a bundle on this machine.

    The network is judged on the stored images, so that a difference names its culprit.

    Raises:
        BundleError: the vectors are malformed, or this machine gives something else.
    """
    arrays = read_golden(bundle.golden)
    side_h, side_w, _ = network.input_shape
    expected_images = (len(arrays["frames"]), side_h, side_w, 3)
    if arrays["images"].shape != expected_images:
        raise _differs(f"images have shape {arrays['images'].shape}, the network takes {expected_images}")
    if arrays["activation_maps"].shape[1:] != network.map_shape:
        raise _differs(
            f"activation maps are {arrays['activation_maps'].shape[1:]}, the network's {network.map_shape}"
        )
    image_difference, logit_difference, map_difference = 0, 0.0, 0.0
    for frame, image, logit, activation_map in zip(
        arrays["frames"], arrays["images"], arrays["logits"], arrays["activation_maps"], strict=True
    ):
        try:
            here = preprocessor.to_image(frame)
            prediction = network.predict(preprocessor.normalise(image))
        except (ImageError, ModelError) as error:
            raise _differs(str(error)) from None
        image_difference = max(image_difference, int(np.abs(here.astype(np.int16) - image).max()))
        logit_difference = max(logit_difference, abs(prediction.logit - float(logit)))
        map_difference = max(
            map_difference, float(np.abs(prediction.activation_map.astype(np.float64) - activation_map).max())
        )
    if image_difference > MAX_IMAGE_DIFFERENCE:
        raise _differs(
            f"preprocessing differs by {image_difference} grey levels, "
            f"at most {MAX_IMAGE_DIFFERENCE} is allowed"
        )
    if logit_difference > MAX_LOGIT_DIFFERENCE:
        raise _differs(
            f"the logit differs by {logit_difference:.3g}, at most {MAX_LOGIT_DIFFERENCE} is allowed"
        )
    if map_difference > MAX_MAP_DIFFERENCE:
        raise _differs(
            f"the activation map differs by {map_difference:.3g}, at most {MAX_MAP_DIFFERENCE} is allowed"
        )
    return GoldenReport(
        count=len(arrays["frames"]),
        max_logit_difference=logit_difference,
        max_activation_map_difference=map_difference,
        max_image_difference=image_difference,
    )


def _read_npy(name: str, data: bytes) -> npt.NDArray[Any]:
    descr, rank, limit = _ARRAYS[name]
    if not data.startswith(_NPY_MAGIC) or len(data) < len(_NPY_MAGIC) + 2:
        raise BundleError(f"{name}: not an .npy array of version 1.0")
    start = len(_NPY_MAGIC) + 2
    (header_bytes,) = struct.unpack_from("<H", data, len(_NPY_MAGIC))
    match = _NPY_HEADER.fullmatch(data, start, start + min(header_bytes, _HEADER_BYTES))
    if match is None:
        raise BundleError(f"{name}: its .npy header is not a plain one")
    shape = tuple(int(side) for side in match["shape"].split(b", "))
    found = match["descr"].decode("ascii", "replace")
    if found != descr or len(shape) != rank or 0 in shape:
        raise BundleError(f"{name}: expected {rank} dimensions of {descr}, got shape {shape} of {found!r}")
    dtype = np.dtype(descr)
    size_bytes = math.prod(shape) * dtype.itemsize
    body = start + header_bytes
    if size_bytes > limit or len(data) - body != size_bytes:
        raise BundleError(f"{name}: {len(data) - body} bytes do not hold shape {shape}")
    return np.frombuffer(data, dtype, offset=body).reshape(shape)


def _differs(what: str) -> BundleError:
    return BundleError(f"golden vectors: {what}: the bundle does not do here what it did where it was made")
