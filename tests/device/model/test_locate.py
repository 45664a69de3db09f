"""Which bundle is in use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.errors import BundleError
from skin_edge.model import locate
from skin_edge.model.locate import active_bundle_path, default_bundle_path


def test_without_a_store_the_shipped_one(tmp_path: Path) -> None:
    assert active_bundle_path(tmp_path / "nowhere") == default_bundle_path()
    (tmp_path / "models").mkdir()
    assert active_bundle_path(tmp_path) == default_bundle_path()
    assert default_bundle_path() == Path(locate.__file__).parent / "default"


def test_current_goes_before_it_and_is_resolved(tmp_path: Path) -> None:
    installed = tmp_path / "models" / "tiny-1.2.3"
    installed.mkdir(parents=True)
    (tmp_path / "models" / "current").symlink_to("tiny-1.2.3")
    assert active_bundle_path(tmp_path) == installed.resolve()


def _dangling(models: Path) -> None:
    (models / "current").symlink_to("gone-1.0.0")


def _loop(models: Path) -> None:
    (models / "current").symlink_to("current")


def _file(models: Path) -> None:
    (models / "current").write_text("tiny-1.2.3")


@pytest.mark.parametrize("spoil", [_dangling, _loop, _file])
def test_a_bad_current_is_an_error_not_another_model(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    models = tmp_path / "models"
    models.mkdir()
    spoil(models)
    with pytest.raises(BundleError, match="model store: ") as caught:
        active_bundle_path(tmp_path)
    assert str(models / "current") in str(caught.value)


def test_a_store_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("not a directory")
    with pytest.raises(BundleError, match="cannot be read: Not a directory"):
        active_bundle_path(tmp_path)
