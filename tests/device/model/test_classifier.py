"""A bundle and frames together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skin_edge.errors import BundleError, ImageError, ModelError
from skin_edge.model.bundle import open_bundle
from skin_edge.model.classifier import Classifier
from skin_edge.model.golden import read_golden

NETWORKS = Path(__file__).parent / "networks"
MakeBundle = Callable[..., Path]


@pytest.mark.parametrize("trusted", [True, False])
def test_gives_the_golden_results(good_bundle: Path, trusted: bool) -> None:
    classifier = Classifier.load(good_bundle, trusted=trusted)
    golden = read_golden(classifier.bundle.golden)
    for _ in range(2):  # buffers are used again
        for frame, logit, activation_map in zip(
            golden["frames"], golden["logits"], golden["activation_maps"], strict=True
        ):
            prediction, preprocess_ms, inference_ms = classifier.classify(frame)
            assert prediction.logit == pytest.approx(float(logit), abs=1e-5)
            np.testing.assert_allclose(prediction.activation_map, activation_map, atol=1e-5)
            assert 0 < preprocess_ms < 1000
            assert 0 < inference_ms < 1000


def test_a_bundle_that_lies_is_only_taken_on_trust(make_bundle: MakeBundle, parts: Any) -> None:
    import io

    arrays = dict(read_golden(parts.golden))
    arrays["logits"] = arrays["logits"] + np.float32(1)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    path = make_bundle(golden=buffer.getvalue())
    Classifier.load(path, trusted=True)
    with pytest.raises(BundleError, match="the logit differs by 1"):
        Classifier.load(path)


def test_a_network_that_does_not_load_is_named(make_bundle: MakeBundle) -> None:
    path = make_bundle(model=(NETWORKS / "one_output.tflite").read_bytes())
    with pytest.raises(ModelError, match="expected a logit and an activation map") as caught:
        Classifier(open_bundle(path))
    assert str(path) in str(caught.value)


def test_a_frame_of_another_kind_is_an_image_error(good_bundle: Path) -> None:
    classifier = Classifier.load(good_bundle, trusted=True)
    with pytest.raises(ImageError):
        classifier.classify(np.zeros((40, 40), np.uint8))
