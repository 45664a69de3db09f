"""Archives that must be refused, each for its own reason."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from skin_edge.errors import BundleError
from skin_edge.model.bundle import Bundle, open_bundle, pack_bundle


def contents(bundle: Bundle) -> tuple[object, ...]:
    return (bundle.manifest, bundle.model, bundle.golden, bundle.model_card, bundle.signature)


@pytest.fixture
def archive(good_bundle: Path, tmp_path: Path) -> Path:
    """The good bundle as a zip."""
    return pack_bundle(good_bundle, tmp_path / "tiny-1.2.3.skinmodel")


def refused(path: Path) -> str:
    """The message with which `path` is refused; it is one line that names the bundle."""
    with pytest.raises(BundleError) as caught:
        open_bundle(path)
    message = str(caught.value)
    assert message.isprintable()
    assert str(path) in message
    assert caught.value.exit_code == 4
    return message


def entries(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def repack(
    files: dict[str, bytes], path: Path, compression: int = zipfile.ZIP_DEFLATED, **attributes: int
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            for key, value in attributes.items():
                setattr(info, key, value)
            packed.writestr(info, data)
    return path


def test_any_plain_zip_will_do(archive: Path, tmp_path: Path) -> None:
    deflated = repack(dict(reversed(entries(archive).items())), tmp_path / "d.skinmodel")
    assert contents(open_bundle(deflated)) == contents(open_bundle(archive))


@pytest.mark.parametrize(
    "name",
    [
        "../model.tflite",
        "/etc/passwd",
        "a\\b",
        "sub/model.tflite",
        "model.tflite/",
        "MODEL.TFLITE",
        "\x1b[2J",
    ],
)
def test_a_strange_name_is_refused(archive: Path, tmp_path: Path, name: str) -> None:
    path = repack(entries(archive) | {name: b"x"}, tmp_path / "x.skinmodel")
    assert "does not belong" in refused(path)


def test_a_name_hidden_behind_a_nul_is_refused(archive: Path) -> None:
    hidden = archive.read_bytes().replace(b"MODEL_CARD.md", b"MODEL_CARD\0md")
    archive.write_bytes(hidden)
    refused(archive)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr("model.tflite", b"other")
    assert "holds a file twice" in refused(archive)


def test_links_are_refused(archive: Path, tmp_path: Path) -> None:
    for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFCHR):
        path = repack(entries(archive), tmp_path / "x.skinmodel", external_attr=(kind | 0o777) << 16)
        assert "is a link or another special file" in refused(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_odd_compression_is_refused(archive: Path, tmp_path: Path, method: int) -> None:
    path = repack(entries(archive), tmp_path / "x.skinmodel", compression=method)
    assert f"compression method {method} is not allowed" in refused(path)


def test_encryption_is_refused(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    at = data.rfind(b"PK\x01\x02")  # the last one: golden.npz is a zip as well
    data[at + 8] |= 1
    archive.write_bytes(data)
    assert "is encrypted" in refused(archive)


def test_a_bomb_that_says_its_size_is_refused(archive: Path, tmp_path: Path) -> None:
    path = repack(entries(archive) | {"MODEL_CARD.md": bytes(100_000_000)}, tmp_path / "bomb.skinmodel")
    assert path.stat().st_size < 200_000
    assert "MODEL_CARD.md: 100000000 bytes, at most 262144 are allowed" in refused(path)


def test_a_bomb_that_lies_about_its_size_is_refused(archive: Path, tmp_path: Path) -> None:
    path = repack(entries(archive) | {"MODEL_CARD.md": bytes(50_000_000)}, tmp_path / "bomb.skinmodel")
    lied = path.read_bytes().replace(struct.pack("<I", 50_000_000), struct.pack("<I", 1000))
    path.write_bytes(lied)
    refused(path)


def test_zip64_lies_are_refused(archive: Path, tmp_path: Path) -> None:
    files = entries(archive)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, data in files.items():
            with packed.open(name, "w", force_zip64=True) as stream:
                stream.write(data)
    path = tmp_path / "z64.skinmodel"
    path.write_bytes(buffer.getvalue())
    assert contents(open_bundle(path)) == contents(open_bundle(archive))
    data = bytearray(buffer.getvalue())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = b"\xff" * 4  # the size is said to be in an extra field that is not there
    path.write_bytes(data)
    refused(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.skinmodel"
    path.touch()
    os.truncate(path, 1 << 40)
    assert "more than a bundle can need" in refused(path)


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff" * 100)
    assert "not a sound zip file" in refused(path)
