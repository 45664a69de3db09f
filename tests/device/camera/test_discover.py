"""Which files a path stands for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skin_edge.camera.discover import find_images
from skin_edge.errors import ImageError


def names(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in find_images(root)]


def touch(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


def test_a_folder_gives_its_images_in_natural_order(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "img10.jpg",
        "img2.JPG",
        "img1.png",
        "b/2.tif",
        "b/10.webp",
        "a.bmp",
        "notes.txt",
        "x.jpg.md5",
    )
    assert names(tmp_path) == ["a.bmp", "b/2.tif", "b/10.webp", "img1.png", "img2.JPG", "img10.jpg"]


def test_odd_names_can_be_sorted_together(tmp_path: Path) -> None:
    odd = ["1.jpg", "a.jpg", "²3.jpg", "٣.jpg", "9" * 200 + ".jpg", "A1b2.jpg", "a1B02.jpg", "01.jpg"]
    touch(tmp_path, *odd)
    assert sorted(names(tmp_path)) == sorted(odd)
    assert names(tmp_path) == names(tmp_path)


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden.jpg", ".cache/1.jpg", "sub/._1.jpg", "sub/1.jpg")
    assert names(tmp_path) == ["sub/1.jpg"]


def test_an_explicit_file_stands_for_itself_whatever_it_is_called(tmp_path: Path) -> None:
    touch(tmp_path, "picture.dat", ".hidden.jpg")
    for name in ("picture.dat", ".hidden.jpg", "absent.jpg"):
        assert find_images(tmp_path / name) == [tmp_path / name]


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    with pytest.raises(ImageError, match="no images in this folder") as caught:
        find_images(tmp_path)
    assert caught.value.code == "image-none"


def test_a_link_back_up_does_not_lead_round_for_ever(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg")
    (tmp_path / "again").symlink_to(tmp_path)
    assert names(tmp_path) == ["1.jpg"]


@pytest.mark.parametrize("locked", ["", "locked"])
def test_what_may_not_be_listed_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str
) -> None:
    """With a stand-in for the refusal: root, who may run this, may list everything."""
    touch(tmp_path, "1.jpg", "locked/2.jpg")
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path) == tmp_path / locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    if locked:
        assert find_images(tmp_path) == [tmp_path / "1.jpg", tmp_path / "locked"]
    else:
        with pytest.raises(ImageError, match="cannot be listed: Permission denied"):
            find_images(tmp_path)
