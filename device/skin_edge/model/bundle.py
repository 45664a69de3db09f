"""Read a bundle, a directory or a `.skinmodel` zip, wholly in memory and wholly checked; write one whole.

Nothing in a bundle is trusted before its SHA-256 agrees with the manifest, nothing is unpacked to disk, and
no more than the caps below is ever read, whatever a header declares.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from skin_edge.errors import BundleError
from skin_edge.model.manifest import (
    CARD_NAME,
    GOLDEN_NAME,
    LISTED_FILES,
    MANIFEST_NAME,
    MODEL_NAME,
    Manifest,
    one_line,
    parse_manifest,
)

SIGNATURE_NAME = "manifest.yaml.sig"
ARCHIVE_SUFFIX = ".skinmodel"

MAX_MODEL_BYTES = 469_770
MAX_BYTES = {
    MODEL_NAME: MAX_MODEL_BYTES,
    MANIFEST_NAME: 256 * 1024,
    GOLDEN_NAME: 4 * 1024 * 1024,
    CARD_NAME: 256 * 1024,
    SIGNATURE_NAME: 16 * 1024,
}
REQUIRED_FILES = (MANIFEST_NAME, *LISTED_FILES)


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle whose every byte agrees with its manifest.

    Attributes:
        origin: the directory or archive it was read from.
        manifest: the checked manifest.
        model: model.tflite.
        golden: golden.npz, not yet decoded.
        model_card: MODEL_CARD.md.
        model_sha256: SHA-256 (hex) of `model`.
        manifest_yaml: manifest.yaml as it was read: it lists the hashes of all else, so its own hash is the
            bundle's, and it is what a signature signs.
        signature: manifest.yaml.sig, not verified here; None where there is none.
    """

    origin: Path
    manifest: Manifest
    model: bytes
    golden: bytes
    model_card: str
    model_sha256: str
    manifest_yaml: bytes
    signature: bytes | None = None


def open_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Return the bundle at `path`, a directory or a `.skinmodel` archive, after every check but running it.

    Raises:
        BundleError: missing, unreadable, malformed, altered, or not for this skin-edge; one line.
    """
    origin = Path(path)
    try:
        return _checked(origin, _read_files(origin))
    except BundleError as error:
        raise BundleError(f"bundle {one_line(str(origin))}: {one_line(str(error))}") from None


def write_bundle(
    directory: str | os.PathLike[str], manifest: Manifest, *, model: bytes, golden: bytes, model_card: str
) -> Path:
    """Write a bundle directory that `open_bundle` accepts, and return its path.

    It is written beside `directory` and renamed into place, so that no half bundle ever has that name. A
    bundle already there is replaced; for a moment between the two renames neither is there.

    Args:
        manifest: `files` is filled in here.
        model: model.tflite.
        golden: golden.npz, from `make_golden`.
        model_card: MODEL_CARD.md.

    Raises:
        BundleError: the parts do not make a bundle, or `directory` holds something else.
        OSError: the disk does not take it.
    """
    from skin_edge.model.write import write_directory

    return write_directory(Path(directory), manifest, model=model, golden=golden, model_card=model_card)


def pack_bundle(directory: str | os.PathLike[str], archive: str | os.PathLike[str]) -> Path:
    """Write the bundle in `directory` as the zip `archive` (`NAME-VERSION.skinmodel`) and return its path.

    The same bundle gives the same bytes anywhere: entries sorted, stored, and dated 1980.

    Raises:
        BundleError: `directory` is no sound bundle, or `archive` does not end in `.skinmodel`.
        OSError: the disk does not take it.
    """
    from skin_edge.model.write import write_archive

    return write_archive(open_bundle(directory), Path(archive))


def check_names(names: list[str]) -> None:
    """Check that `names` is exactly the file set of a bundle.

    Raises:
        BundleError: a name too many, twice or too few.
    """
    for name in names:
        if name not in MAX_BYTES:
            raise BundleError(f"{one_line(repr(name), 80)} does not belong in a bundle")
    if len(set(names)) != len(names):
        raise BundleError("holds a file twice")
    missing = [name for name in REQUIRED_FILES if name not in names]
    if missing:
        raise BundleError(f"{missing[0]} is missing")


def check_size(name: str, size_bytes: int) -> None:
    """Check the size of one file of a bundle against its cap.

    Raises:
        BundleError: larger than a bundle may hold.
    """
    if size_bytes > MAX_BYTES[name]:
        raise BundleError(f"{name}: {size_bytes} bytes, at most {MAX_BYTES[name]} are allowed")


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` in hex."""
    return hashlib.sha256(data).hexdigest()


def _read_files(origin: Path) -> dict[str, bytes]:
    try:
        status = origin.stat()
        if stat.S_ISDIR(status.st_mode):
            return _read_directory(origin)
        if stat.S_ISREG(status.st_mode):
            from skin_edge.model.archive import read_archive  # zipfile only where there is a zip

            return read_archive(origin)
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"cannot be read: {error}") from None  # a NUL in the path
    raise BundleError("neither a bundle directory nor a .skinmodel file")


def _read_directory(directory: Path) -> dict[str, bytes]:
    with os.scandir(directory) as entries:
        names = sorted(entry.name for entry in entries)
    check_names(names)
    return {name: _read_regular(directory / name, name) for name in names}


def _read_regular(path: Path, name: str) -> bytes:
    # O_NOFOLLOW and fstat on the open file: nobody can swap in a link or a pipe after the check.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if path.is_symlink():
            raise BundleError(f"{name}: is a symbolic link") from None
        raise BundleError(f"{name}: cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{name}: is not a regular file")
        check_size(name, status.st_size)
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(MAX_BYTES[name] + 1)
    finally:
        os.close(descriptor)
    check_size(name, len(data))
    return data


def _checked(origin: Path, files: dict[str, bytes]) -> Bundle:
    manifest_yaml = files[MANIFEST_NAME]
    manifest = parse_manifest(manifest_yaml)
    for name, entry in manifest.files.items():
        if entry.size_bytes != len(files[name]):
            raise BundleError(f"{name}: {len(files[name])} bytes, the manifest says {entry.size_bytes}")
        if entry.sha256 != sha256_hex(files[name]):
            raise BundleError(f"{name}: its SHA-256 is not the manifest's: damaged or altered")
    try:
        model_card = files[CARD_NAME].decode("utf-8")
    except UnicodeDecodeError:
        raise BundleError(f"{CARD_NAME}: not UTF-8") from None
    return Bundle(
        origin=origin,
        manifest=manifest,
        model=files[MODEL_NAME],
        golden=files[GOLDEN_NAME],
        model_card=model_card,
        model_sha256=manifest.files[MODEL_NAME].sha256,
        manifest_yaml=manifest_yaml,
        signature=files.get(SIGNATURE_NAME),
    )
