"""Kept pictures: private, lossless, whole or absent."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from skin_edge.errors import StorageError
from skin_edge.results.images import ImageStore
from skin_edge.results.record import new_result_id

TAKEN_S = 1769860800.25  # 2026-01-31, noon UTC


def picture() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (37, 53, 3), np.uint8)


@pytest.mark.parametrize("view", [np.array, lambda p: p[::-1], lambda p: p[:, ::2], np.asfortranarray])
def test_a_kept_picture_is_the_same_to_the_last_bit(
    tmp_path: Path, view: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]
) -> None:
    pixels = view(picture())
    identifier = new_result_id(TAKEN_S)
    relative, digest = ImageStore(tmp_path).save(pixels, identifier)
    assert relative == f"images/2026/01/31/{identifier}.png"
    assert hashlib.sha256((tmp_path / relative).read_bytes()).hexdigest() == digest
    decoded = cv2.imread(str(tmp_path / relative))
    assert decoded is not None
    assert np.array_equal(decoded[..., ::-1], pixels)


def test_pictures_and_their_directories_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        relative, _ = ImageStore(tmp_path).save(picture(), new_result_id(TAKEN_S))
    finally:
        os.umask(before)
    modes = {p.relative_to(tmp_path): stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes.pop(Path(relative)) == 0o600
    assert set(modes.values()) == {0o700}


def test_nothing_half_is_left_where_a_write_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    ImageStore(tmp_path).save(picture(), new_result_id(TAKEN_S))
    kept = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="cannot keep the picture: Input/output error"):
        ImageStore(tmp_path).save(picture(), new_result_id(TAKEN_S))
    assert sorted(tmp_path.rglob("*")) == kept


FULL_DISK = """
import sys
from pathlib import Path
import numpy as np
from skin_edge.errors import StorageError
from skin_edge.results.images import ImageStore
from skin_edge.results.record import new_result_id

room = Path(sys.argv[1])
noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
kept = 0
try:
    while True:
        ImageStore(room).save(noise, new_result_id())
        kept += 1
except StorageError as error:
    print(error.code)
files = [path for path in room.rglob("*") if path.is_file()]
print(len(files) == kept > 0, all(path.stat().st_size > 100_000 for path in files))
"""


def test_a_full_disk_is_said_and_leaves_whole_pictures_only(run_on_tmpfs: Callable[..., str]) -> None:
    assert run_on_tmpfs(FULL_DISK).split() == ["storage-full", "True", "True"]


def test_a_picture_without_a_row_can_be_taken_back(tmp_path: Path) -> None:
    relative, _ = ImageStore(tmp_path).save(picture(), new_result_id(TAKEN_S))
    ImageStore(tmp_path).discard(relative)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    ImageStore(tmp_path).discard(relative)
