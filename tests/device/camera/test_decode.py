"""One image file to upright RGB, or one ImageError with a stable code and the path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import image_bytes
import numpy as np
import pytest

from skin_edge.camera import decode
from skin_edge.camera.decode import MAX_PIXELS, decode_image, read_file, read_image
from skin_edge.camera.header import read_header
from skin_edge.errors import ImageError

needs_safe_jpeg_2000 = pytest.mark.skipif(
    not decode._JPEG_2000_SAFE, reason=f"JPEG 2000 is refused with OpenCV {cv2.__version__}"
)


def refused(path: Path) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "suffix",
    [
        ".png",
        ".bmp",
        ".tif",
        ".webp",
        ".ppm",
        ".ras",
        ".pam",
        pytest.param(".jp2", marks=needs_safe_jpeg_2000),
    ],
)
def test_lossless_formats_come_back_as_the_same_rgb(tmp_path: Path, suffix: str) -> None:
    rgb = image_bytes.textured()
    path = tmp_path / f"picture{suffix}"
    data, lossless = image_bytes.encoded(suffix, rgb), 0
    if suffix == ".webp":
        done, made = cv2.imencode(".webp", rgb[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])
        assert done
        data = made.tobytes()
    if suffix == ".jp2":
        done, made = cv2.imencode(
            ".jp2", np.ascontiguousarray(rgb[:, :, ::-1]), [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
        )
        assert done
        data, lossless = made.tobytes(), 2
    path.write_bytes(data)
    result = read_image(path)
    assert result.dtype == np.uint8
    assert result.flags["C_CONTIGUOUS"]
    assert result.flags["WRITEABLE"]
    assert np.abs(result.astype(int) - rgb).max() <= lossless


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_orientation_is_honoured(tmp_path: Path, suffix: str, orientation: int, order: str) -> None:
    stored = image_bytes.quarters()
    path = tmp_path / f"turned.{suffix}"
    path.write_bytes(image_bytes.WITH_ORIENTATION[suffix](stored, orientation, order))
    result = read_image(path)
    expected = image_bytes.UPRIGHT[orientation](stored)
    assert result.shape == expected.shape
    inner = np.s_[8::16, 8::16]  # away from the edges, where JPEG and WebP mix the quarters
    assert np.abs(result[inner].astype(int) - expected[inner]).max() <= 12


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_a_nonsense_orientation_is_none(orientation: int) -> None:
    for suffix, make in image_bytes.WITH_ORIENTATION.items():
        if suffix != "tif":
            assert decode_image(make(image_bytes.quarters(), orientation), "x").shape == (64, 96, 3)


def test_grey_deep_and_transparent_pictures_become_8_bit_rgb() -> None:
    rgb = image_bytes.textured(20, 30)
    grey = rgb[:, :, 0]
    clear = np.dstack([rgb[:, :, ::-1], np.zeros((20, 30), np.uint8)])
    for suffix in (".png", ".tif"):
        assert np.array_equal(decode_image(image_bytes.encoded(suffix, grey), "x"), np.dstack([grey] * 3))
        deep = image_bytes.encoded(suffix, grey.astype(np.uint16) * 257)
        assert np.array_equal(decode_image(deep, "x"), np.dstack([grey] * 3))
        deep_rgb = image_bytes.encoded(suffix, rgb.astype(np.uint16) * 257)
        assert np.array_equal(decode_image(deep_rgb, "x"), rgb)
        assert np.array_equal(decode_image(image_bytes.encoded(suffix, clear), "x"), rgb)


@pytest.mark.parametrize("suffix", [".jpg", ".gif", ".avif"])
def test_red_green_and_blue_stay_apart_in_lossy_formats(suffix: str) -> None:
    if not cv2.haveImageWriter(f"x{suffix}"):
        pytest.skip(f"OpenCV {cv2.__version__} cannot write {suffix}")
    rgb = image_bytes.quarters()
    result = decode_image(image_bytes.encoded(suffix, rgb), "x")
    assert result.shape == rgb.shape
    assert np.array_equal(result[16::32, 24::48] > 128, rgb[16::32, 24::48] > 128)


def test_jpeg_2000_is_refused_where_a_damaged_file_would_crash_opencv(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decode, "_JPEG_2000_SAFE", False)
    with pytest.raises(ImageError, match=r"OpenCV 4\.12 or later") as caught:
        decode_image(image_bytes.encoded(".jp2", image_bytes.textured()), "x.jp2")
    assert caught.value.code == "image-format"


def test_missing_empty_and_foreign_files_are_told_apart(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent.jpg").code == "image-missing"
    (tmp_path / "empty.jpg").touch()
    assert refused(tmp_path / "empty.jpg").code == "image-empty"
    (tmp_path / "text.jpg").write_text("this is no picture")
    assert refused(tmp_path / "text.jpg").code == "image-format"
    assert refused(tmp_path / ("n" * 300 + ".jpg")).code == "image-unreadable"
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    assert refused(tmp_path / "loop.jpg").code == "image-unreadable"
    assert refused(tmp_path / "nul\0byte.jpg").code == "image-unreadable"


def test_only_regular_files_are_read_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refused(tmp_path / "pipe.jpg").code == "image-not-a-file"
    assert refused(Path("/dev/zero")).code == "image-not-a-file"
    assert refused(tmp_path).code == "image-not-a-file"
    (tmp_path / "link.jpg").symlink_to("/dev/zero")
    assert refused(tmp_path / "link.jpg").code == "image-not-a-file"


def test_a_link_to_an_image_is_read(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(image_bytes.encoded(".png", image_bytes.quarters()))
    (tmp_path / "link").symlink_to("real.png")
    assert read_image(tmp_path / "link").shape == (64, 96, 3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "private.png"
    path.write_bytes(image_bytes.encoded(".png", image_bytes.quarters()))
    path.chmod(0)
    assert refused(path).code == "image-unreadable"


def test_a_permission_error_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs as root too, which may read every file."""
    path = tmp_path / "private.png"
    path.write_bytes(image_bytes.encoded(".png", image_bytes.quarters()))

    def deny(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(decode.os, "open", deny)
    assert refused(path).code == "image-unreadable"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95, 0.999])
def test_a_file_cut_short_is_called_so_and_not_shown_half_grey(
    tmp_path: Path, suffix: str, part: float
) -> None:
    whole = image_bytes.encoded(suffix, image_bytes.textured())
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole[: int(len(whole) * part)])
    assert refused(path).code == "image-truncated"


@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".ppm", ".ras", ".jp2", ".hdr", ".pfm"])
def test_other_formats_cut_short_are_refused(tmp_path: Path, suffix: str) -> None:
    rgb = image_bytes.textured()
    whole = image_bytes.encoded(suffix, rgb.astype(np.float32) if suffix in (".hdr", ".pfm") else rgb)
    for part in (0.3, 0.6, 0.95):
        path = tmp_path / f"cut{suffix}"
        path.write_bytes(whole[: int(len(whole) * part)])
        assert refused(path).code in ("image-format", "image-truncated")


def test_bytes_after_the_end_of_a_jpeg_do_no_harm() -> None:
    """Phones append thumbnails and films; a thumbnail's own end marker before the scan ends nothing."""
    whole = image_bytes.encoded(".jpg", image_bytes.textured())
    assert decode_image(whole + b"trailer" * 100, "x").shape == (120, 160, 3)
    thumbnail = b"\xff\xe1\x00\x0aExif\xff\xd9\xff\xd9"
    cut = whole[:2] + thumbnail + whole[2 : len(whole) // 2]
    with pytest.raises(ImageError) as caught:
        decode_image(cut, "x")
    assert caught.value.code == "image-truncated"


def test_a_png_with_a_flipped_bit_is_refused_without_a_word_on_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(image_bytes.encoded(".png", image_bytes.textured()))
    data[len(data) // 2] ^= 0x10
    path = tmp_path / "flipped.png"
    path.write_bytes(data)
    assert refused(path).code == "image-truncated"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", sorted(image_bytes.claims(1, 1)))
def test_a_claim_of_too_many_pixels_is_refused_before_anything_is_allocated(kind: str) -> None:
    bomb = image_bytes.claims(50_000, 50_000)[kind]
    header = read_header(bomb)
    assert header is not None
    assert (header.width, header.height) == (50_000, 50_000)
    with pytest.raises(ImageError, match="50000x50000 pixels") as caught:
        decode_image(bomb, f"bomb.{kind}")
    assert caught.value.code == "image-too-large"


@pytest.mark.parametrize(
    "suffix",
    [
        ".jpg",
        ".png",
        ".webp",
        ".tif",
        ".bmp",
        ".ppm",
        ".ras",
        ".hdr",
        pytest.param(".jp2", marks=needs_safe_jpeg_2000),
    ],
)
def test_the_size_in_the_header_is_what_opencv_decodes(suffix: str) -> None:
    rgb = image_bytes.textured(37, 53)
    data = image_bytes.encoded(suffix, rgb.astype(np.float32) if suffix == ".hdr" else rgb)
    header = read_header(data)
    assert header is not None
    assert header.whole
    assert (header.height, header.width) == (37, 53) == decode_image(data, "x").shape[:2]


def test_a_large_but_allowed_claim_passes_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    data = image_bytes.encoded(".png", image_bytes.quarters())
    monkeypatch.setattr(decode, "MAX_PIXELS", 64 * 96)
    assert decode_image(data, "x").shape == (64, 96, 3)
    monkeypatch.setattr(decode, "MAX_PIXELS", 64 * 96 - 1)
    with pytest.raises(ImageError):
        decode_image(data, "x")
    assert MAX_PIXELS == 100_000_000


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.bmp"
    with path.open("wb") as stream:
        stream.truncate(200 * 1024 * 1024)
    assert refused(path).code == "image-too-large"
    with pytest.raises(ImageError, match="MB"):
        read_file(path, max_bytes=1000)


def test_opencv_keeps_silent_unless_asked_to_speak(tmp_path: Path) -> None:
    """In a process of its own: the log level is the process's."""
    path = tmp_path / "cut.bmp"
    path.write_bytes(image_bytes.encoded(".bmp", image_bytes.textured())[:3000])
    script = (
        "import sys; from pathlib import Path; from skin_edge.camera.decode import read_image\n"
        "try: read_image(Path(sys.argv[1]))\nexcept ValueError as error: print(error.code)"
    )
    for level, silent in ((None, True), ("ERROR", False)):
        env = {k: v for k, v in os.environ.items() if k != "OPENCV_LOG_LEVEL"}
        if level:
            env["OPENCV_LOG_LEVEL"] = level
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, env=env, check=True
        )
        assert done.stdout.strip() == "image-format"
        assert (done.stderr == "") == silent, done.stderr


@pytest.mark.data
def test_real_images_are_read_as_opencv_reads_them(data_dir: Path) -> None:
    paths = sorted((data_dir / "ham10000" / "images").glob("*.jpg"))[::500]
    assert len(paths) > 10
    for path in paths:
        expected = cv2.imread(str(path))
        assert expected is not None
        assert np.array_equal(read_image(path), expected[:, :, ::-1])
