"""Reading and writing bundles as directories and as archives."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.errors import BundleError
from skin_edge.model.bundle import (
    MAX_MODEL_BYTES,
    Bundle,
    open_bundle,
    pack_bundle,
    sha256_hex,
    write_bundle,
)

MakeBundle = Callable[..., Path]


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


def test_a_directory_and_its_archive_are_the_same_bundle(
    good_bundle: Path, archive: Path, parts: object
) -> None:
    directory, packed = open_bundle(good_bundle), open_bundle(archive)
    assert contents(directory) == contents(packed)
    assert directory.model == parts.model  # type: ignore[attr-defined]
    assert directory.model_sha256 == directory.manifest.files["model.tflite"].sha256
    assert directory.origin == good_bundle


def test_packing_is_reproducible(good_bundle: Path, archive: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(good_bundle, copy)
    for file in copy.iterdir():
        os.utime(file, (1, 1))
    assert pack_bundle(copy, tmp_path / "again.skinmodel").read_bytes() == archive.read_bytes()


def test_a_signature_travels(good_bundle: Path, tmp_path: Path) -> None:
    (good_bundle / "manifest.yaml.sig").write_bytes(b"signed")
    assert open_bundle(good_bundle).signature == b"signed"
    assert open_bundle(pack_bundle(good_bundle, tmp_path / "s.skinmodel")).signature == b"signed"


def test_writing_replaces_a_bundle_and_leaves_nothing_beside_it(make_bundle: MakeBundle) -> None:
    make_bundle("b", version="1.0.0")
    path = make_bundle("b", version="2.0.0")
    assert open_bundle(path).manifest.version == "2.0.0"
    assert [p.name for p in path.parent.iterdir()] == ["b"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert {stat.S_IMODE(p.stat().st_mode) for p in path.iterdir()} == {0o644}


def test_writing_never_replaces_what_is_no_bundle(make_bundle: MakeBundle, tmp_path: Path) -> None:
    precious = tmp_path / "photos" / "one.jpg"
    precious.parent.mkdir()
    precious.write_bytes(b"precious")
    with pytest.raises(BundleError, match=r"holds 'one.jpg'"):
        make_bundle("photos")
    assert precious.read_bytes() == b"precious"


def test_a_failed_write_leaves_the_old_bundle(
    make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_bundle("b", version="1.0.0")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        make_bundle("b", version="2.0.0")
    assert open_bundle(path).manifest.version == "1.0.0"
    assert [p.name for p in path.parent.iterdir()] == ["b"]


def test_too_large_a_model_is_not_written(make_bundle: MakeBundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model.tflite: 469771 bytes, at most 469770"):
        make_bundle("b", model=b"x" * (MAX_MODEL_BYTES + 1))
    assert list(tmp_path.iterdir()) == []


def test_a_bad_manifest_is_not_written(make_bundle: MakeBundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="default_operating_point"):
        make_bundle("b", default_operating_point="none")
    assert list(tmp_path.iterdir()) == []


def test_only_a_sound_directory_is_packed(good_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"ends in \.skinmodel"):
        pack_bundle(good_bundle, tmp_path / "tiny.zip")
    (good_bundle / "model.tflite").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"model\.tflite"):
        pack_bundle(good_bundle, tmp_path / "tiny.skinmodel")
    assert not (tmp_path / "tiny.skinmodel").exists()


# -- directories


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "nothing")


def test_what_is_neither_file_nor_directory_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "neither a bundle directory nor" in refused(fifo)
    with pytest.raises(BundleError):
        open_bundle("nul\0byte")


@pytest.mark.parametrize("name", ["model.tflite", "manifest.yaml", "golden.npz", "MODEL_CARD.md"])
def test_every_file_must_be_there_and_plain(good_bundle: Path, tmp_path: Path, name: str) -> None:
    file = good_bundle / name
    moved = tmp_path / "elsewhere"
    file.rename(moved)
    assert f"{name} is missing" in refused(good_bundle)
    file.symlink_to(moved)
    assert f"{name}: is a symbolic link" in refused(good_bundle)
    file.unlink()
    os.mkfifo(file)
    assert f"{name}: is not a regular file" in refused(good_bundle)
    file.unlink()
    file.mkdir()
    assert name in refused(good_bundle)


@pytest.mark.parametrize("name", ["model.tflite", "golden.npz", "MODEL_CARD.md"])
def test_one_flipped_bit_is_found(good_bundle: Path, name: str) -> None:
    data = bytearray((good_bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (good_bundle / name).write_bytes(data)
    assert f"{name}: its SHA-256 is not the manifest's" in refused(good_bundle)
    (good_bundle / name).write_bytes(data[:-1])
    assert f"{name}: {len(data) - 1} bytes, the manifest says {len(data)}" in refused(good_bundle)


def test_a_file_too_many_is_refused(good_bundle: Path) -> None:
    (good_bundle / "new\nline").touch()
    assert "'new\\nline' does not belong in a bundle" in refused(good_bundle)


def test_a_sparse_giant_is_refused_unread(good_bundle: Path) -> None:
    os.truncate(good_bundle / "model.tflite", 1 << 40)
    assert "at most 469770 are allowed" in refused(good_bundle)


def test_a_card_that_is_not_text_is_refused(good_bundle: Path) -> None:
    card = good_bundle / "MODEL_CARD.md"
    manifest = good_bundle / "manifest.yaml"
    not_text = b"\xff" * card.stat().st_size
    text = manifest.read_text().replace(sha256_hex(card.read_bytes()), sha256_hex(not_text))
    manifest.write_text(text)
    card.write_bytes(not_text)
    assert "MODEL_CARD.md: not UTF-8" in refused(good_bundle)


def test_reading_a_directory_does_not_import_zipfile(good_bundle: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from skin_edge.model.bundle import open_bundle; "
        f"open_bundle({str(good_bundle)!r}); sys.exit('zipfile' in sys.modules or 'cv2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_write_bundle_makes_missing_parents(tmp_path: Path, parts: object) -> None:
    path = write_bundle(
        tmp_path / "a" / "b",
        parts.manifest,  # type: ignore[attr-defined]
        model=parts.model,  # type: ignore[attr-defined]
        golden=parts.golden,  # type: ignore[attr-defined]
        model_card="card",
    )
    assert open_bundle(path).model_card == "card"
