"""Bundles for a push, made from the shipped one: good ones, and one for each way to be bad."""

from __future__ import annotations

import io
import math
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from skin_edge.model.bundle import open_bundle, pack_bundle, write_bundle
from skin_edge.model.golden import make_golden, read_golden
from skin_edge.model.locate import default_bundle_path
from skin_edge.model.manifest import MANIFEST_NAME
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor

NAME = "ham-student"


def make_bundle(folder: Path, version: str, **changes: Any) -> Path:
    """Pack the shipped bundle under another version, and return the archive.

    Args:
        folder: where to.
        version: of the new one; a bundle of that version must not have been made in `folder` before.
        changes: instead of what the shipped one has: `model`, `golden` (bytes), or a key of the manifest.
    """
    shipped = open_bundle(default_bundle_path())
    model, golden = changes.pop("model", shipped.model), changes.pop("golden", shipped.golden)
    manifest = msgspec.structs.replace(shipped.manifest, name=NAME, version=version, **changes)
    written = write_bundle(
        folder / manifest.identity, manifest, model=model, golden=golden, model_card=shipped.model_card
    )
    return pack_bundle(written, written.with_name(f"{manifest.identity}.skinmodel"))


def disagreeing_golden() -> bytes:
    """Golden vectors whose logits are off by one."""
    with np.load(io.BytesIO(open_bundle(default_bundle_path()).golden)) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["logits"] = arrays["logits"] + np.float32(1.0)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def truncated_network() -> bytes:
    """The first half of the shipped network; the bundle's hashes are those of the half."""
    model = open_bundle(default_bundle_path()).model
    return model[: len(model) // 2]


def crashing_network() -> bytes:
    """The shipped network, a sound flatbuffer, whose first operation has no input: the runtime dies of it."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(open_bundle(default_bundle_path()).model))
    model.subgraphs[0].operators[0].inputs = np.array([-1], np.int32)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def hungry_network(room_bytes: int) -> tuple[bytes, bytes]:
    """Return a network that works where it gets `room_bytes` for one tensor, and its golden vectors.

    The service may have 768 MiB in all (MemoryMax= of its unit), a command at a shell more.
    """
    import tensorflow as tf

    shipped = open_bundle(default_bundle_path())
    spec = shipped.manifest.input
    shape = (1, spec.height, spec.width, spec.channels)
    row = math.prod(shape)
    rows = room_bytes // (4 * row)

    def network(image: Any) -> Any:
        copies = tf.tile(tf.reshape(image, (1, row)), [rows, 1])
        last = tf.reshape(copies[rows - 1 :], shape)
        activation_map = tf.nn.avg_pool2d(tf.reduce_mean(last, 3, keepdims=True), 16, 16, "VALID")
        return tf.reshape(tf.reduce_mean(activation_map), (1, 1)), activation_map

    signature = [tf.TensorSpec(shape, tf.float32)]
    traced = tf.function(network, input_signature=signature).get_concrete_function()
    model = tf.lite.TFLiteConverter.from_concrete_functions([traced], tf.Module()).convert()
    frames = list(read_golden(shipped.golden)["frames"][:1])
    loaded = Network(model, shape[1:])
    return model, make_golden(frames, Preprocessor(shipped.manifest.preprocess), loaded)


def altered(bundle: Path, to: Path) -> Path:
    """Copy an archive with one byte of its network changed, as a bad disk or a hand would."""
    data = bytearray(bundle.read_bytes())
    with zipfile.ZipFile(bundle) as archive:
        entry = archive.getinfo("model.tflite")
    data[entry.header_offset + entry.compress_size // 2] ^= 0x10
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(data)
    return to


def signed(bundle: Path, key: Path) -> Path:
    """Sign the folder beside an archive with ssh-keygen, and return the folder."""
    folder = bundle.with_suffix("")
    manifest = folder / MANIFEST_NAME
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "skin-edge", manifest],
        check=True,
        capture_output=True,
    )
    return folder
