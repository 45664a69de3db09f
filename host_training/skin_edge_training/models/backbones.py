"""The networks that a teacher is made of, behind one registry.

Each takes (B, S, S, 3) RGB grey levels 0 to 255, scales them itself as its weights were trained, and returns
pooled features (B, F). ResNetV2: He et al. 2016; ConvNeXt: Liu et al. 2022; ViT: Dosovitskiy et al. 2021;
EfficientNet-Lite: after Tan & Le 2019.
"""

from __future__ import annotations

import importlib
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
from keras import layers

from skin_edge.errors import ModelError
from skin_edge_training.config import VIT_PATCH_PX
from skin_edge_training.models.efficientnet_lite import LITE0, LITE1, LITE2, STAGES, Lite, build_features

RANDOM, IMAGENET = "random", "imagenet"
#: A hub that does not answer within this time is taken for unreachable.
HUB_TIMEOUT_S = 20.0
VIT_PRESET = "vit_base_patch16_224_imagenet"


@dataclass(frozen=True, slots=True)
class Backbone:
    """One entry of the registry.

    Attributes:
        features: width F of the pooled features.
        scaling: how grey levels x are scaled inside the network.
        published: file or folder name of the published ImageNet weights, looked for in a local folder.
        build: from side in pixels, weights (None, "imagenet", or an existing path) and, of EfficientNet-Lite,
            stages to the model.
    """

    features: int
    scaling: str
    published: str
    build: Callable[..., keras.Model]


def build_backbone(name: str, size_px: int, weights: str, stages: int | None = None) -> keras.Model:
    """Return a model named `name` from (B, S, S, 3) RGB grey levels 0 to 255 to (B, F) pooled features.

    Args:
        name: a key of `BACKBONES`.
        size_px: side S of the square input in pixels.
        weights: "random", "imagenet", or a path: a file of weights (for ViT a KerasHub preset folder), or a
            folder that holds it under its published name.
        stages: of EfficientNet-Lite, how many of its stages are kept; None for all.

    Raises:
        ModelError: the weights are missing, unreachable or of another network; the message says what to do.
    """
    backbone = BACKBONES[name]
    source = weights if weights == IMAGENET else None if weights == RANDOM else _local(name, Path(weights))
    try:
        model = backbone.build(size_px, source, **({} if stages is None else {"stages": stages}))
    except ModelError:
        raise
    except Exception as error:
        if source is None:
            raise  # nothing was fetched or read, so it is a defect of ours
        raise ModelError(_what_to_do(name, source, error)) from error
    if model.output_shape != (None, backbone.features):
        raise ModelError(f"{weights}: gives features of shape {model.output_shape[1:]}, not those of {name}")
    return model


def _local(name: str, path: Path) -> Path:
    """The weights of `name` at `path` or in that folder."""
    inside = path / BACKBONES[name].published
    found = inside if inside.exists() else path
    is_preset = (found / "config.json").exists()
    if not found.exists() or (found.is_dir() and not is_preset):
        raise ModelError(
            f"{path}: no weights of {name} there: put {BACKBONES[name].published} into that folder, or set "
            "teacher.weights to imagenet or random"
        )
    return found


def _what_to_do(name: str, source: Path | str, error: Exception) -> str:
    reason = " ".join(str(error).split())[:240]
    if source != IMAGENET:
        return f"{source}: cannot be loaded as weights of {name}: {reason}"
    published = BACKBONES[name].published
    return (
        f"ImageNet weights of {name} cannot be fetched: on a machine with a network get {published}, and set "
        f"teacher.weights to the folder that holds it (or to random) ({reason})"
    )


@contextmanager
def _loading() -> Iterator[None]:
    """No wait without an end, and no download notes on stdout, which is for results."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(HUB_TIMEOUT_S)
    try:
        with redirect_stdout(sys.stderr), warnings.catch_warnings():
            # Hundreds of lines for a file of another Keras version; a layer without its weights is an error.
            warnings.filterwarnings("ignore", message="Skipping nested container")
            yield
    finally:
        socket.setdefaulttimeout(before)


def _lite(lite: Lite, size_px: int, weights: Path | str | None, stages: int = len(STAGES)) -> keras.Model:
    path = lite.weights_path() if weights == IMAGENET else weights
    return build_features(lite, size_px, None if path is None else Path(path), stages)


def _resnet152v2(size_px: int, weights: Path | str | None) -> keras.Model:
    shape = (size_px, size_px, 3)
    with _loading():
        body = keras.applications.ResNet152V2(
            include_top=False, weights=_text(weights), input_shape=shape, pooling="avg", name="body"
        )
    inputs = keras.Input(shape, name="image")
    scaled = layers.Rescaling(1 / 127.5, -1.0, name="scaling")(inputs)
    return keras.Model(inputs, body(scaled), name="resnet152v2")


def _convnext_base(size_px: int, weights: Path | str | None) -> keras.Model:
    shape = (size_px, size_px, 3)
    with _loading():
        body = keras.applications.ConvNeXtBase(
            include_top=False, weights=_text(weights), input_shape=shape, pooling="avg"
        )
    inputs = keras.Input(shape, name="image")
    # Named `features`: keras insists that the body itself is called convnext_base.
    return keras.Model(inputs, body(inputs), name="convnext_base_features")


def _vit_base(size_px: int, weights: Path | str | None) -> keras.Model:
    hub = keras_hub()
    shape = (size_px, size_px, 3)
    body = hub.models.ViTBackbone(
        image_shape=shape, patch_size=VIT_PATCH_PX, num_layers=12, num_heads=12, hidden_dim=768, mlp_dim=3072
    )
    if weights is not None:
        with _loading():
            pretrained = hub.models.ViTBackbone.from_preset(
                VIT_PRESET if weights == IMAGENET else str(weights)
            )
        copy_vit(pretrained, body)
    inputs = keras.Input(shape, name="image")
    tokens = body(layers.Rescaling(1 / 127.5, -1.0, name="scaling")(inputs))
    return keras.Model(inputs, tokens[:, 0], name="vit_base")  # the class token


def copy_vit(pretrained: keras.Model, model: keras.Model) -> None:
    """Copy a ViT's weights, position embeddings stretched to the other input size (Dosovitskiy et al. 2021).

    Raises:
        ValueError: the networks differ in more than their input size.
    """
    for theirs, ours in zip(pretrained.weights, model.weights, strict=True):
        value = keras.ops.convert_to_tensor(theirs)
        if theirs.shape != ours.shape and "position_embedding" in ours.path:
            value = _stretch_positions(value, ours.shape[0])
        ours.assign(value)


def _stretch_positions(table: Any, rows: int) -> Any:
    """Bicubic resize of (1 + n * n, D) position embeddings to (rows, D); the class token's stays."""
    old, new = (round((count - 1) ** 0.5) for count in (table.shape[0], rows))
    grid = keras.ops.reshape(table[1:], (1, old, old, -1))
    grid = keras.ops.image.resize(grid, (new, new), interpolation="bicubic", data_format="channels_last")
    return keras.ops.concatenate([table[:1], keras.ops.reshape(grid, (new * new, -1))])


def keras_hub() -> Any:
    """Return the module KerasHub, which only a ViT needs.

    Raises:
        ModelError: it is not installed.
    """
    try:
        return importlib.import_module("keras_hub")
    except ImportError as error:
        raise ModelError(
            "vit_base needs KerasHub: pip install 'skin-edge[teacher]', or leave it out of teacher.backbones "
            f"({error})"
        ) from None


def _text(weights: Path | str | None) -> str | None:
    return None if weights is None else str(weights)


def _lite_entry(lite: Lite, published: str) -> Backbone:
    return Backbone(1280, "(x - 127) / 128", published, partial(_lite, lite))


BACKBONES: dict[str, Backbone] = {
    "efficientnet_lite0": _lite_entry(LITE0, "efficientnet-lite0-57934424.pth"),
    "efficientnet_lite1": _lite_entry(LITE1, "efficientnet-lite1-77cc7160.pth"),
    "efficientnet_lite2": _lite_entry(LITE2, "efficientnet-lite2-9656183e.pth"),
    "resnet152v2": Backbone(
        2048, "x / 127.5 - 1", "resnet152v2_weights_tf_dim_ordering_tf_kernels_notop.h5", _resnet152v2
    ),
    "convnext_base": Backbone(
        1024, "per channel, by ImageNet's mean and deviation", "convnext_base_notop.h5", _convnext_base
    ),
    "vit_base": Backbone(768, "x / 127.5 - 1", VIT_PRESET, _vit_base),
}
