"""Put a bundle on disk so that it is there whole or not at all, also after a power cut."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

import msgspec

from skin_edge.durable import PUBLIC_MODE, fsync_directory, replacing
from skin_edge.errors import BundleError
from skin_edge.model.bundle import (
    ARCHIVE_SUFFIX,
    MAX_BYTES,
    SIGNATURE_NAME,
    Bundle,
    check_size,
    open_bundle,
    sha256_hex,
)
from skin_edge.model.manifest import (
    CARD_NAME,
    GOLDEN_NAME,
    MANIFEST_NAME,
    MODEL_NAME,
    FileEntry,
    Manifest,
    check_manifest,
    dump_manifest,
)

#: The earliest date that a zip can hold: no build date in the bytes.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_directory(
    directory: Path, manifest: Manifest, *, model: bytes, golden: bytes, model_card: str
) -> Path:
    """Do what `skin_edge.model.bundle.write_bundle` says."""
    files = {MODEL_NAME: model, GOLDEN_NAME: golden, CARD_NAME: model_card.encode("utf-8")}
    entries = {name: FileEntry(sha256=sha256_hex(data), size_bytes=len(data)) for name, data in files.items()}
    manifest = msgspec.structs.replace(manifest, files=entries)
    check_manifest(manifest)
    files[MANIFEST_NAME] = dump_manifest(manifest)
    for name, data in files.items():
        check_size(name, len(data))
    _require_replaceable(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        for name, data in files.items():
            with replacing(staging / name, PUBLIC_MODE) as stream:
                stream.write(data)
        staging.chmod(0o755)
        if open_bundle(staging).manifest != manifest:
            raise BundleError(f"{MANIFEST_NAME}: does not read back as it was written")
        _put_in_place(staging, directory)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return directory


def write_archive(bundle: Bundle, archive: Path) -> Path:
    """Do what `skin_edge.model.bundle.pack_bundle` says, with a bundle that was opened from a directory."""
    if archive.suffix != ARCHIVE_SUFFIX:
        raise BundleError(f"{archive}: the name of a packed bundle ends in {ARCHIVE_SUFFIX}")
    files = _files(bundle)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.create_system = 3  # Unix, wherever it is packed
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            # Stored: weights hardly shrink, and deflate's bytes differ between zlib builds.
            packed.writestr(entry, files[name], zipfile.ZIP_STORED)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with replacing(archive, PUBLIC_MODE) as stream:
        stream.write(buffer.getvalue())
    return archive


def write_files(directory: Path, bundle: Bundle) -> None:
    """Write the files of an open bundle, byte for byte, into an empty directory; each is durable.

    Raises:
        OSError: the disk does not take them.
    """
    for name, data in _files(bundle).items():
        with replacing(directory / name, PUBLIC_MODE) as stream:
            stream.write(data)


def _files(bundle: Bundle) -> dict[str, bytes]:
    files = {
        MANIFEST_NAME: bundle.manifest_yaml,
        MODEL_NAME: bundle.model,
        GOLDEN_NAME: bundle.golden,
        CARD_NAME: bundle.model_card.encode("utf-8"),
    }
    if bundle.signature is not None:
        files[SIGNATURE_NAME] = bundle.signature
    return files


def _require_replaceable(directory: Path) -> None:
    """Refuse to put a bundle over anything that is not one: replacing deletes."""
    if not os.path.lexists(directory):
        return
    if directory.is_symlink() or not directory.is_dir():
        raise BundleError(f"{directory}: exists and is not a directory; give another path")
    strange = sorted(entry.name for entry in directory.iterdir() if entry.name not in MAX_BYTES)
    if strange:
        raise BundleError(f"{directory}: holds {strange[0]!r}, so it is no bundle; give another path")


def _put_in_place(staging: Path, directory: Path) -> None:
    replaced = None
    if directory.exists():
        replaced = Path(tempfile.mkdtemp(prefix=f".{directory.name}-old-", dir=directory.parent))
        directory.rename(replaced)
    try:
        staging.rename(directory)
    except OSError:
        if replaced is not None:
            replaced.rename(directory)
        raise
    fsync_directory(directory.parent)
    if replaced is not None:
        shutil.rmtree(replaced)
