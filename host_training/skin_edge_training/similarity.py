"""Distillation of features: two pictures that are alike to the teacher shall be alike to the student.

Similarity-preserving distillation (Tung & Mori 2019) compares how alike the pictures of a batch are to each
network, so that networks of any width can be compared without a layer between them.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

#: Layer of the student whose output, pooled, is compared: the last before its evidence.
LAST_FEATURES = "dropout"


class SimilarityDistillation(keras.distillation.FeatureDistillation):  # type: ignore[misc]
    """Mean squared difference of the similarity matrices (B, B) of both networks' features."""

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """Return the loss of teacher features (B, F) and student features (B, h, w, C)."""
        return super().compute_loss(
            _similarity(teacher_outputs), _similarity(ops.mean(student_outputs, axis=(1, 2))), **kwargs
        )


def features_model(teacher: keras.Model) -> keras.Model:
    """Return the teacher up to the features (B, F) from which its logit is computed."""
    return keras.Model(teacher.input, teacher.get_layer("logit").input, name="teacher_features")


def _similarity(features: Any) -> Any:
    """(B, B): products of each picture's features with all others', each row of length one."""
    products = ops.matmul(features, ops.transpose(features))
    return ops.normalize(products, axis=1, order=2)
