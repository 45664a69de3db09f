"""Views: eight different ways to lay a square, each with its way back, averaged by the classifier."""

from __future__ import annotations

import numpy as np
import pytest

from skin_edge.camera.drawing import draw
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.model.runtime import Network
from skin_edge.model.views import VIEW_COUNTS, back, view
from skin_edge.preprocess.pipeline import Preprocessor


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(default_bundle_path(), trusted=True)


def test_the_eight_views_differ_and_lead_back() -> None:
    square = np.arange(27, dtype=np.float32).reshape(3, 3, 3)
    views = [view(square, number) for number in range(8)]
    assert len({v.tobytes() for v in views}) == 8
    np.testing.assert_array_equal(views[0], square)
    for number, seen in enumerate(views):
        np.testing.assert_array_equal(back(seen[..., 0], number), square[..., 0])


@pytest.mark.parametrize("views", VIEW_COUNTS)
def test_logit_and_map_are_means_over_the_views(classifier: Classifier, views: int) -> None:
    pixels = draw(2, 1).pixels
    spec = classifier.bundle.manifest
    tensor = Preprocessor(spec.preprocess)(pixels)
    network = Network(classifier.bundle.model, tensor.shape)
    alone = [network.predict(np.ascontiguousarray(view(tensor, n))) for n in range(views)]
    prediction, _, _ = classifier.classify(pixels, views=views)
    assert prediction.logit == pytest.approx(np.mean([p.logit for p in alone]), abs=1e-6)
    expected = np.mean([back(p.activation_map, n) for n, p in enumerate(alone)], axis=0)
    np.testing.assert_allclose(prediction.activation_map, expected, atol=1e-6)
    assert prediction.activation_map.dtype == np.float32


def test_eight_views_do_not_mind_how_the_picture_is_turned(classifier: Classifier) -> None:
    pixels = draw(2, 1).pixels
    side = min(pixels.shape[:2]) // 128 * 128
    square = pixels[:side, :side]
    turned = np.ascontiguousarray(np.rot90(square))
    one = abs(classifier.classify(square)[0].logit - classifier.classify(turned)[0].logit)
    eight = abs(classifier.classify(square, views=8)[0].logit - classifier.classify(turned, views=8)[0].logit)
    assert eight < 0.05 < one


@pytest.mark.parametrize("views", [0, 3, 16, -1])
def test_another_number_of_views_is_refused(classifier: Classifier, views: int) -> None:
    with pytest.raises(ValueError, match="views"):
        classifier.classify(np.zeros((200, 200, 3), np.uint8), views=views)
