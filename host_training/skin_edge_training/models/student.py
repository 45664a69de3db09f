"""The student: the front of EfficientNet-Lite0, a separable tail, and a head that is its own explanation.

The head is a 1x1 convolution to one channel, so its output is a map of evidence over the image; pooling the
map gives the logit. With average pooling the map is an exact class-activation map (Zhou et al. 2016), in the
same invoke and for free.
"""

from __future__ import annotations

import keras
from keras import layers

from skin_edge_training.config import StudentConfig
from skin_edge_training.models.efficientnet_lite import (
    batch_norm,
    inverted_residual,
    load_imagenet_front,
    stem,
)


def build_student(config: StudentConfig, size_px: int, *, batch_size: int | None = None) -> keras.Model:
    """Return a model from (B, S, S, 3) float32 to {"logit": (B, 1), "activation_map": (B, h, w, 1)}.

    Args:
        config: depth, tail, pooling and initial weights.
        size_px: side S of the square input in pixels.
        batch_size: static batch for export, None for training.
    """
    inputs = keras.Input((size_px, size_px, 3), batch_size=batch_size, name="image")
    x = stem(inputs)
    for number in range(config.blocks):
        x = inverted_residual(x, number)
    for number, channels in enumerate(config.tail_channels):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"tail{number}_depthwise")(x)
        x = batch_norm(x, f"tail{number}_depthwise_bn")
        x = layers.Conv2D(channels, 1, use_bias=False, name=f"tail{number}_pointwise")(x)
        x = batch_norm(x, f"tail{number}_pointwise_bn")
    x = layers.SpatialDropout2D(config.dropout, name="dropout")(x)
    evidence = layers.Conv2D(1, 1, name="activation_map")(x)
    pool = layers.GlobalAveragePooling2D if config.pooling == "average" else layers.GlobalMaxPooling2D
    logit = pool(name="logit")(evidence)
    model = keras.Model(inputs, {"logit": logit, "activation_map": evidence}, name="student")
    if config.initial_weights == "imagenet":
        load_imagenet_front(model, config.blocks)
    return model


def logit_model(student: keras.Model) -> keras.Model:
    """Return the same network with the logit as its only output, for training."""
    return keras.Model(student.input, student.output["logit"], name="student_logit")
