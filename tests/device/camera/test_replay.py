"""Replaying images, folders and videos."""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import image_bytes
import numpy as np
import pytest

from skin_edge.camera import open_source
from skin_edge.camera.replay import VideoReplay
from skin_edge.errors import CameraError, ImageError

FRAMES = 12


def write_video(path: Path, frames: int = FRAMES, fps: float = 25.0) -> None:
    """A Motion JPEG file whose frame k is filled with the red level 20 k, from 0 again after 240."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (160, 120))
    assert writer.isOpened()
    for number in range(frames):
        picture = np.zeros((120, 160, 3), np.uint8)
        picture[:, :, 2] = 20 * (number % 13)
        writer.write(picture)
    writer.release()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip_001.avi"
    write_video(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("1.png", "2.jpg", "10.png"):
        (folder / name).write_bytes(image_bytes.encoded(Path(name).suffix, image_bytes.quarters()))
    return folder


def test_an_image_is_one_frame(photos: Path) -> None:
    with open_source(f"replay:{photos / '1.png'}") as source:
        (frame,) = source
        assert frame.name == str(photos / "1.png")
        assert frame.source == f"replay:{photos / '1.png'}"
        assert np.array_equal(frame.pixels, image_bytes.quarters())


def test_an_image_is_known_by_its_bytes_too(photos: Path, tmp_path: Path) -> None:
    plain = tmp_path / "no_suffix"
    plain.write_bytes((photos / "1.png").read_bytes())
    with open_source(f"replay:{plain}") as source:
        assert [frame.name for frame in source] == [str(plain)]


def test_a_folder_gives_its_images_in_order_and_goes_on_after_a_bad_one(photos: Path) -> None:
    (photos / "3.jpg").write_bytes((photos / "2.jpg").read_bytes()[:400])
    seen = []
    with open_source(f"replay:{photos}") as source:
        while True:
            try:
                frame = source.read()
            except ImageError as error:
                seen.append(error.code)
                continue
            if frame is None:
                break
            seen.append(Path(frame.name).name)
        assert source.read() is None
    assert seen == ["1.png", "2.jpg", "image-truncated", "10.png"]


def test_images_are_paced_only_where_a_rate_is_given(photos: Path) -> None:
    started = time.monotonic()
    with open_source(f"replay:{photos}") as source:
        assert len(list(source)) == 3
    assert time.monotonic() - started < 1.0
    started = time.monotonic()
    with open_source(f"replay:{photos}", fps=10) as source:
        assert len(list(source)) == 3
    assert 0.19 <= time.monotonic() - started < 2.0


def test_a_loop_begins_again_but_not_over_nothing(photos: Path, tmp_path: Path) -> None:
    with open_source(f"replay:{photos}", loop=True) as source:
        names = [Path(frame.name).name for frame, _ in zip(source, range(7), strict=False)]
    assert names == ["1.png", "2.jpg", "10.png"] * 2 + ["1.png"]
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "1.jpg").touch()
    (bad / "2.jpg").touch()
    with open_source(f"replay:{bad}", loop=True) as source:
        for _ in range(2):
            with pytest.raises(ImageError):
                source.read()
        with pytest.raises(CameraError, match="none of the 2 images"):
            source.read()


def test_a_video_gives_every_frame_in_rgb_with_its_number(video: Path) -> None:
    with open_source(f"replay:{video}", fps=1000) as source:
        frames = list(source)
    assert [frame.name for frame in frames] == [f"{video}#{number}" for number in range(1, FRAMES + 1)]
    for number, frame in enumerate(frames):
        assert frame.pixels.shape == (120, 160, 3)
        assert abs(int(frame.pixels[60, 80, 0]) - 20 * number) <= 8
        assert frame.pixels[60, 80, 2] <= 8


def test_a_video_runs_at_its_own_pace_unless_told_otherwise(video: Path) -> None:
    durations = {}
    for fps in (None, 100.0):
        with open_source(f"replay:{video}", fps=fps) as source:
            started = time.monotonic()
            assert len(list(source)) == FRAMES
            durations[fps] = time.monotonic() - started
    assert 0.43 <= durations[None] < 3.0
    assert 0.10 <= durations[100.0] < durations[None]


def test_a_video_can_loop(video: Path) -> None:
    with open_source(f"replay:{video}", fps=1000, loop=True) as source:
        numbers = [frame.name.rsplit("#")[1] for frame, _ in zip(source, range(FRAMES + 2), strict=False)]
    assert numbers[-3:] == [str(FRAMES), "1", "2"]


def test_a_video_cut_short_gives_its_frames_and_then_an_error(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.avi", tmp_path / "cut.avi"
    write_video(whole, frames=40)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    with open_source(f"replay:{cut}", fps=1000) as source:
        seen: list[str] = []
        with pytest.raises(CameraError, match=r"ends after frame \d+ of about 40") as caught:
            seen.extend(frame.name for frame in source)
    assert 10 <= len(seen) <= 30
    assert caught.value.code == "camera-truncated"


def test_a_video_without_a_frame_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "none.avi"
    write_video(path, frames=1)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 4])
    with pytest.raises(CameraError) as caught, open_source(f"replay:{path}", fps=1000) as source:
        list(source)
    assert str(caught.value).startswith(str(path))


def test_what_is_no_video_is_an_error_without_a_word_on_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    with pytest.raises(CameraError, match="neither an image nor a video"):
        open_source(f"replay:{path}")
    assert capfd.readouterr().err == ""


def test_a_playlist_opens_no_address(tmp_path: Path) -> None:
    """Nothing on the device opens a connection: FFmpeg must not follow what a file names."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        path = tmp_path / "list.m3u8"
        address = f"http://127.0.0.1:{server.getsockname()[1]}/1.ts"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(CameraError), open_source(f"replay:{path}", fps=10) as source:
            list(source)
        with pytest.raises(TimeoutError):
            server.accept()


def test_what_cannot_be_opened_is_a_camera_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    for name in ("absent.avi", "pipe", "empty", "nul\0byte", "n" * 300):
        with pytest.raises(CameraError) as caught:
            open_source(f"replay:{tmp_path / name}")
        assert caught.value.exit_code == 3
        assert str(tmp_path) in str(caught.value)


def test_a_constructor_that_fails_half_way_lets_go_of_the_file(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def holders() -> int:
        links = Path("/proc/self/fd").iterdir()
        return sum(os.path.realpath(link) == str(video.resolve()) for link in links)

    monkeypatch.setattr("skin_edge.camera.replay.MAX_PIXELS", 100)
    with pytest.raises(CameraError, match="160x120"):
        VideoReplay("replay:x", video, fps=None, loop=False)
    assert holders() == 0
    monkeypatch.undo()
    source = VideoReplay("replay:x", video, fps=None, loop=False)
    assert holders() == 1
    source.close()
    assert holders() == 0
