"""The six stages of a spec as one object: the device runs it on frames, training on its images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from skin_edge.errors import ModelError
from skin_edge.preprocess.colour_constancy import ColourBalancer
from skin_edge.preprocess.contrast import ContrastEnhancer
from skin_edge.preprocess.crop_resize import crop_and_resize
from skin_edge.preprocess.denoise import Denoiser
from skin_edge.preprocess.hair_removal import HairRemover
from skin_edge.preprocess.normalise import Normaliser, Tensor
from skin_edge.preprocess.rgb import Rgb, require_rgb
from skin_edge.preprocess.spec import ALGORITHM_VERSION, PreprocessSpec
from skin_edge.strict import SchemaError

Stage = tuple[str, Callable[[Rgb], Rgb]]


class Preprocessor:
    """What a spec says, ready to run: tables and kernels are made here, not per frame.

    Use one object per thread, since stages keep buffers. Every method returns a new array and leaves its
    input as it was.

    Attributes:
        spec: what is run.
        fingerprint: the spec's; equal fingerprints mean equal tensors from equal frames.
        stages: name and function of each enabled stage of one to five, in order. Normalisation always comes
            last and has its own method, since it makes the tensor.

    Raises:
        ModelError: a spec with a value out of bounds, or for another version of the stages' arithmetic.
    """

    def __init__(self, spec: PreprocessSpec) -> None:
        if spec.algorithm_version != ALGORITHM_VERSION:
            raise ModelError(
                f"the preprocessing spec is of algorithm version {spec.algorithm_version}, this skin-edge "
                f"runs version {ALGORITHM_VERSION}: install the skin-edge release that made the model",
                code="preprocess-version",
            )
        self.spec = spec
        try:
            self.fingerprint = spec.fingerprint()
        except SchemaError as error:
            raise ModelError(
                f"the preprocessing spec cannot be run: {error}", code="preprocess-spec"
            ) from None
        self._after_resize = _stages_after_resize(spec)
        crop: tuple[Stage, ...] = ()
        if spec.crop_resize.enabled:
            crop = (("crop_resize", partial(crop_and_resize, spec=spec.crop_resize)),)
        self.stages: tuple[Stage, ...] = crop + self._after_resize
        self._normaliser = Normaliser(spec.normalisation)

    def to_image(self, rgb: Rgb) -> Rgb:
        """Run stages one to five.

        Args:
            rgb: (H, W, 3) uint8, any strides; size_px square where crop_resize is off.

        Returns:
            (size_px, size_px, 3) uint8, C-contiguous.

        Raises:
            ImageError: another shape or type.
        """
        crop = self.spec.crop_resize
        require_rgb(rgb, None if crop.enabled else crop.size_px)
        return _run(self.stages, rgb)

    def stages_after_resize(self, image: Rgb) -> Rgb:
        """Run stages two to five on an image that was cropped and resized, and perhaps augmented, before.

        Args:
            image: (size_px, size_px, 3) uint8, any strides.

        Returns:
            (size_px, size_px, 3) uint8, C-contiguous.

        Raises:
            ImageError: another shape or type.
        """
        return _run(self._after_resize, require_rgb(image, self.spec.crop_resize.size_px))

    def normalise(self, image: Rgb, out: Tensor | None = None) -> Tensor:
        """Run stage six.

        Args:
            image: (size_px, size_px, 3) uint8 from `to_image` or `stages_after_resize`.
            out: C-contiguous (size_px, size_px, 3) float32 to write to, for example the network's input.

        Returns:
            (size_px, size_px, 3) float32, C-contiguous; `out` where one is given.

        Raises:
            ImageError: another shape or type.
        """
        return self._normaliser(require_rgb(image, self.spec.crop_resize.size_px), out)

    def __call__(self, rgb: Rgb, out: Tensor | None = None) -> Tensor:
        """Run all six stages: `normalise(to_image(rgb), out)`."""
        return self.normalise(self.to_image(rgb), out)


def _stages_after_resize(spec: PreprocessSpec) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    if spec.hair_removal.enabled:
        stages.append(("hair_removal", HairRemover(spec.hair_removal)))
    if spec.denoise.enabled:
        stages.append(("denoise", Denoiser(spec.denoise)))
    if spec.colour_constancy.enabled:
        stages.append(("colour_constancy", ColourBalancer(spec.colour_constancy)))
    if spec.contrast.enabled:
        stages.append(("contrast", ContrastEnhancer(spec.contrast)))
    return tuple(stages)


def _run(stages: tuple[Stage, ...], image: Rgb) -> Rgb:
    if not stages:
        return np.array(image, order="C")
    for _, stage in stages:
        image = stage(image)
    return image
