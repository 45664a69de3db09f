"""The quality gate before what is no lesion: real sample pictures, cloth, recoloured and bare skin."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from skin_edge.camera.decode import read_image
from skin_edge.camera.drawing import draw
from skin_edge.quality import assess, likeness
from skin_edge.quality.likeness import TABLE
from skin_edge.quality.scene import FIGURES, scene_figures, scene_square
from skin_edge.quality.working import working_square

Rgb = npt.NDArray[np.uint8]


def sample(name: str) -> Rgb:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        pytest.fail("scikit-image is missing: make test installs it")
    bgr = cv2.imread(str(Path(spec.origin).parent / "data" / name), cv2.IMREAD_COLOR)
    assert bgr is not None, name
    return np.ascontiguousarray(bgr[:, :, ::-1])


@pytest.mark.parametrize("person", range(8))
@pytest.mark.parametrize("lesion", range(4))
def test_drawn_lesions_pass(person: int, lesion: int) -> None:
    assert assess(draw(person, lesion).pixels).reasons == ()


@pytest.mark.parametrize(
    "name", ["astronaut.png", "brick.png", "coffee.png", "grass.png", "gravel.png", "moon.png", "coins.png"]
)
def test_a_face_a_wall_a_cup_are_not_skin(name: str) -> None:
    assert "not-skin" in assess(sample(name)).reasons


@pytest.mark.parametrize(
    "name", ["rocket.jpg", "text.png", "page.png", "color.png", "phantom.png", "logo.png"]
)
def test_rooms_and_print_are_refused(name: str) -> None:
    assert not assess(sample(name)).ok


def test_skin_in_wrong_colours_is_not_skin() -> None:
    pixels = draw(3, 2).pixels
    grey = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    for wrong in (255 - pixels, grey):
        assert "not-skin" in assess(np.asarray(wrong, np.uint8)).reasons


def test_blue_cloth_is_not_skin() -> None:
    y, x = np.mgrid[0:400, 0:400]
    weave = 30.0 * np.sin(x / 1.1) * np.sin(y / 1.1)
    cloth = np.array([40, 80, 150]) + weave[:, :, None] + np.random.default_rng(2).normal(0, 2, (400, 400, 3))
    assert "not-skin" in assess(np.clip(cloth, 0, 255).astype(np.uint8)).reasons


@pytest.mark.parametrize("side_px", [180, 270, 400, 900])
def test_the_scores_hardly_depend_on_resolution(side_px: int) -> None:
    pixels = draw(3, 2).pixels[:, 160:1120]
    scaled = cv2.resize(pixels, (side_px, side_px), interpolation=cv2.INTER_AREA)
    there, here = assess(np.ascontiguousarray(pixels)).metrics, assess(np.asarray(scaled, np.uint8)).metrics
    assert here["not_skin"] == pytest.approx(there["not_skin"], abs=20.0)
    assert here["no_lesion"] == pytest.approx(there["no_lesion"], abs=20.0)


def test_the_table_holds_every_figure_and_finite_numbers() -> None:
    table = msgspec.json.decode(TABLE.read_bytes())
    assert tuple(table["figures"]) == FIGURES
    size = len(FIGURES)
    for score in ("thing", "hue", "negative", "bare_skin"):
        assert len(table[score]["square"]) == size * (size + 1) // 2
        assert len(table[score]["linear"]) == size
        assert np.isfinite([*table[score]["square"], *table[score]["linear"], table[score]["constant"]]).all()


def test_a_table_of_other_figures_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = msgspec.json.decode(TABLE.read_bytes())
    table["figures"][0] = "something-else"
    other = tmp_path / "likeness.json"
    other.write_bytes(msgspec.json.encode(table))
    monkeypatch.setattr(likeness, "TABLE", other)
    likeness._coefficients.cache_clear()
    with pytest.raises(ValueError, match="quality_fit"):
        likeness.likeness(np.zeros(len(FIGURES)))
    likeness._coefficients.cache_clear()


def test_darker_light_leaves_the_scores_nearly_alone() -> None:
    """No figure says how dark the skin is: half the light changes little."""
    pixels = draw(3, 2).pixels
    whole = scene_figures(scene_square(working_square(pixels)))
    dim = scene_figures(scene_square(working_square((pixels * 0.6).astype(np.uint8))))
    assert np.abs(whole - dim).max() < 0.35


@pytest.mark.data
def test_bare_skin_has_no_lesion_and_darker_skin_passes(data_dir: Path) -> None:
    """Corners of real pictures, where smooth and light enough to be skin; whole ones with melanin added."""
    paths = sorted((data_dir / "ham10000" / "images").glob("*.jpg"))[3::25]
    images = [read_image(path) for path in paths]
    corners = [image[:50, :50] for image in images]
    clear = [c for c in corners if c.min() > 90 and np.ptp(cv2.GaussianBlur(c[:, :, 1], (0, 0), 3)) < 40]
    assert len(clear) > 50
    patches = [np.asarray(cv2.resize(c, (150, 150), interpolation=cv2.INTER_CUBIC)) for c in clear]
    assert np.mean(["no-lesion" in assess(patch).reasons for patch in patches]) >= 0.95
    linear = [(image / 255.0) ** 2.2 * np.exp(-1.0 * np.array([0.37, 0.57, 1.0])) for image in images]
    darker = [np.round(255.0 * picture ** (1 / 2.2)).astype(np.uint8) for picture in linear]
    assert np.mean([not assess(picture).ok for picture in darker]) <= 0.02
