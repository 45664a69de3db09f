"""A bundle ready to classify: its stages and its network, built once, with their buffers."""

from __future__ import annotations

import os
import time

import numpy as np
import numpy.typing as npt

from skin_edge.errors import ModelError
from skin_edge.frame import Prediction
from skin_edge.model.bundle import Bundle, open_bundle
from skin_edge.model.runtime import Network
from skin_edge.model.views import VIEW_COUNTS, back, view
from skin_edge.preprocess.pipeline import Preprocessor


class Classifier:
    """Frames in, predictions out. One object serves one thread.

    Args:
        bundle: what `open_bundle` gave.
        threads: threads of the runtime.

    Raises:
        ModelError: no runtime, or a network that it cannot load.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle
        spec = bundle.manifest.input
        shape = (spec.height, spec.width, spec.channels)
        try:
            self._preprocessor = Preprocessor(bundle.manifest.preprocess)
            self._network = Network(bundle.model, shape, threads)
        except ModelError as error:
            raise ModelError(f"bundle {bundle.origin}: {error}", code=error.code) from None
        self._tensor: npt.NDArray[np.float32] = np.zeros(shape, np.float32)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, threads: int = 1, trusted: bool = False) -> Classifier:
        """Open the bundle at `path` and build its network.

        Args:
            path: a bundle directory or a `.skinmodel` file.
            threads: threads of the runtime.
            trusted: True for the store's and the shipped bundle, which were proven when they were installed.
                False runs the golden vectors first, in a process of their own, so that a broken model
                cannot take this one down; that costs a second start-up.

        Raises:
            BundleError: the bundle must not be used.
            ModelError: no runtime, or a network that it cannot load.
        """
        if trusted:
            return cls(open_bundle(path), threads=threads)
        from skin_edge.model.verify import verify_bundle

        return cls(verify_bundle(path).bundle, threads=threads)

    def classify(self, pixels: npt.NDArray[np.uint8], *, views: int = 1) -> tuple[Prediction, float, float]:
        """Classify one frame.

        Args:
            pixels: (H, W, 3) uint8 RGB, any size and strides; not modified.
            views: 1, 2, 4 or 8 flips and rotations whose logits and activation maps are averaged; each
                costs one invoke.

        Returns:
            The prediction, and the milliseconds that preprocessing and the network took.

        Raises:
            ImageError: another shape or type.
            ModelError: the network failed.
            ValueError: another number of views.
        """
        if views not in VIEW_COUNTS:
            raise ValueError(f"views: {views} is none of {VIEW_COUNTS}")
        started = time.perf_counter()
        self._preprocessor(pixels, self._tensor)
        ready = time.perf_counter()
        prediction = self._network.predict(self._tensor)
        if views > 1:
            prediction = self._mean_over_views(prediction, views)
        done = time.perf_counter()
        return prediction, (ready - started) * 1e3, (done - ready) * 1e3

    def _mean_over_views(self, first: Prediction, views: int) -> Prediction:
        logit, activation_map = first.logit, first.activation_map.astype(np.float64)
        for number in range(1, views):
            seen = self._network.predict(np.ascontiguousarray(view(self._tensor, number)))
            logit += seen.logit
            activation_map += back(seen.activation_map, number)
        return Prediction(logit / views, (activation_map / views).astype(np.float32))
