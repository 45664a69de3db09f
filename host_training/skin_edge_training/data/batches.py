"""Batches for Keras, the same on every backend: decoded pictures, augmented, through the device's stages."""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge_training.config import AugmentConfig
from skin_edge_training.data.augment import random_view
from skin_edge_training.data.decoded import Uint8Array


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled, augmented batches of ((B, S, S, 3) float32, (B, 1) float32).

    What a batch holds depends on the seed, the epoch and the batch's number only, so that a resumed run
    goes on as the interrupted one would have. `epoch` is set by the training loop.
    """

    def __init__(
        self,
        decoded: Uint8Array,
        rows: npt.NDArray[np.int64],
        labels: npt.NDArray[np.float32],
        preprocessor: Preprocessor,
        augmentation: AugmentConfig,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.epoch = 0
        self._decoded, self._rows, self._labels = decoded, rows, labels
        self._preprocessor, self._augmentation = preprocessor, augmentation
        self._batch_size, self._seed = batch_size, seed
        cv2.setNumThreads(1)  # the loader is one thread beside the training step, not a pool against it

    def __len__(self) -> int:
        return len(self._rows) // self._batch_size

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        order = np.random.default_rng((self._seed, self.epoch)).permutation(self._rows)
        chosen = order[number * self._batch_size : (number + 1) * self._batch_size]
        rng = np.random.default_rng((self._seed, self.epoch, number))
        spec = self._preprocessor.spec.crop_resize
        batch = np.empty((len(chosen), spec.size_px, spec.size_px, 3), np.float32)
        for out, row in zip(batch, chosen, strict=True):
            view = random_view(self._decoded[row], spec.size_px, spec.crop_fraction, self._augmentation, rng)
            self._preprocessor.normalise(self._preprocessor.stages_after_resize(view), out=out)
        return batch, self._labels[chosen][:, None]


def plain_inputs(
    decoded: Uint8Array, rows: npt.NDArray[np.int64], preprocessor: Preprocessor
) -> npt.NDArray[np.float32]:
    """Return (len(rows), S, S, 3) float32: pictures exactly as a device hands them to the network."""
    size_px = preprocessor.spec.crop_resize.size_px
    inputs = np.empty((len(rows), size_px, size_px, 3), np.float32)
    for out, row in zip(inputs, rows, strict=True):
        preprocessor(decoded[row], out=out)
    return inputs
