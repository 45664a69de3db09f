"""Reading ahead: the same pictures in the same order, errors where they belong, no thread for one picture."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from skin_edge.camera.ahead import ReadAhead
from skin_edge.errors import ImageError


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(found):
        cv2.imwrite(str(path), np.full((20, 30, 3), 10 * number, np.uint8))
    return found


def threads() -> int:
    return sum(thread.name.startswith("read-ahead") for thread in threading.enumerate())


def test_pictures_come_in_order_and_what_cannot_be_read_is_said_in_its_turn(paths: list[Path]) -> None:
    paths[3].write_bytes(b"no picture")
    ahead, seen = ReadAhead(), []
    for path, then in zip(paths, [*paths[1:], None], strict=True):
        try:
            seen.append(int(ahead.read(path, then)[0, 0, 0]))
        except ImageError:
            seen.append(-1)
    ahead.close()
    assert seen == [0, 10, 20, -1, 40]
    assert threads() == 0


def test_the_next_picture_is_read_while_nobody_waits(paths: list[Path]) -> None:
    ahead = ReadAhead()
    ahead.read(paths[0], paths[1])
    assert threads() == 0, "one picture starts no thread"
    ahead.read(paths[1], paths[2])
    ahead.close()  # waits for it
    ahead = ReadAhead()
    ahead.read(paths[0], paths[1])
    ahead.read(paths[1], paths[2])
    deadline = threading.Event()
    for _ in range(200):
        if ahead._coming is not None and ahead._coming[1].done():
            break
        deadline.wait(0.02)
    paths[2].unlink()
    assert ahead.read(paths[2], None)[0, 0, 0] == 20, "it was read before it was asked for"
    ahead.close()


def test_another_picture_than_the_announced_one_is_read_all_the_same(paths: list[Path]) -> None:
    ahead = ReadAhead()
    ahead.read(paths[0], paths[1])
    ahead.read(paths[1], paths[2])
    assert ahead.read(paths[4], None)[0, 0, 0] == 40
    ahead.close()
