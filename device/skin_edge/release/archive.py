"""A release file: a ZIP whose entries are not compressed, checked against its release.json as it is read."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from skin_edge.errors import SkinEdgeError, one_line
from skin_edge.release.manifest import (
    CODE,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    NAME,
    REQUIREMENTS,
    SIGNATURE_NAME,
    WHEELS,
    Entry,
    Release,
    ReleaseError,
    parse,
)
from skin_edge.ssh_signature import CODE as SIGNATURE_CODE
from skin_edge.ssh_signature import SignatureError, who_signed

SUFFIX: Final = ".skinrelease"
_MAX_SIGNATURE_BYTES: Final = 1 << 16
_ENCRYPTED: Final = 0x1 | 0x40
_CHUNK: Final = 1 << 20
#: What zipfile raises on hostile bytes, besides BadZipFile: all of them mean the same here.
_MALFORMED: Final = (
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    ArithmeticError,
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A release file that is open: its release.json was read, once, and its entries are those it lists.

    Attributes:
        path: of the file.
        release: what it says of itself.
        signed_by: who signed it; None where nobody asked.
        is_signed: whether it has a signature at all.
        archive: whose entries were compared with that list, their contents not yet.
    """

    path: Path
    release: Release
    signed_by: str | None
    is_signed: bool
    archive: zipfile.ZipFile

    def check(self) -> None:
        """Compare every file with its SHA-256, and write none.

        Raises:
            ReleaseError: one is damaged or altered.
        """
        for name, entry in self.release.files.items():
            self._read(name, entry, None)

    def extract(self, folder: Path) -> None:
        """Write what pip needs into a folder that is new and private; every file is hashed on its way.

        Raises:
            ReleaseError: a file is damaged or altered; what was written before it must not be used.
            OSError: the disk does not take it.
        """
        (folder / WHEELS).mkdir(mode=0o700)
        for name, entry in self.release.files.items():
            if name != REQUIREMENTS and not name.startswith(f"{WHEELS}/"):
                self._read(name, entry, None)
                continue
            if name.count("/") > 1:
                raise ReleaseError(f"{self.path}: {name}: wheels have no folders")
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                self._read(name, entry, stream)

    def _read(self, name: str, entry: Entry, into: IO[bytes] | None) -> None:
        digest, size = hashlib.sha256(), 0
        with _sound(self.path), self.archive.open(name) as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > entry.size_bytes:
                    break
                digest.update(chunk)
                if into is not None:
                    into.write(chunk)
        if (size, digest.hexdigest()) != (entry.size_bytes, entry.sha256):
            raise ReleaseError(f"{self.path}: {name}: damaged or altered: copy the release again")


@contextmanager
def open_release(path: Path, allowed: Path | None) -> Iterator[Opened]:
    """Open a release file, and check first who signed it.

    Args:
        path: the file.
        allowed: file of allowed signers; None asks for no signature.

    Raises:
        ReleaseError: it is none, or has an entry too many or too few; or nobody who is allowed signed it
            (``signature``).
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        with _sound(path):
            opened = _open(path, stream, allowed)
        with opened.archive:
            yield opened


def _open(path: Path, stream: IO[bytes], allowed: Path | None) -> Opened:
    archive = zipfile.ZipFile(stream)
    entries = archive.infolist()
    _check_entries(path, entries, os.fstat(stream.fileno()).st_size)
    names = {entry.orig_filename for entry in entries}
    if NAME not in names:
        raise ReleaseError(f"{path}: no {NAME} in it: not a release of skin-edge")
    manifest = _small(archive, NAME, MAX_MANIFEST_BYTES)
    signature = _small(archive, SIGNATURE_NAME, _MAX_SIGNATURE_BYTES) if SIGNATURE_NAME in names else None
    signed_by = None if allowed is None else _signer(path, manifest, signature, allowed)
    try:
        release = parse(manifest)
    except ReleaseError as error:
        raise ReleaseError(f"{path}: {error}") from None
    strange = sorted((names - {NAME, SIGNATURE_NAME}) ^ release.files.keys())
    if strange:
        raise ReleaseError(f"{path}: {one_line(repr(strange[0]), 80)} is missing or does not belong there")
    for entry in entries:
        listed = release.files.get(entry.orig_filename)
        if listed is not None and listed.size_bytes != entry.file_size:
            raise ReleaseError(f"{path}: {entry.orig_filename}: damaged or altered: copy the release again")
    return Opened(path, release, signed_by, signature is not None, archive)


def _check_entries(path: Path, entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > MAX_FILES + 2:
        raise ReleaseError(f"{path}: {len(entries)} entries, at most {MAX_FILES + 2} are allowed")
    if len({entry.orig_filename for entry in entries}) != len(entries):
        raise ReleaseError(f"{path}: holds a file twice")
    for entry in entries:
        name = one_line(repr(entry.orig_filename), 80)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or entry.is_dir():
            raise ReleaseError(f"{path}: {name} is a link, a folder or another special file")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ReleaseError(f"{path}: {name} is compressed, which no file of a release is")
        if entry.flag_bits & _ENCRYPTED:
            raise ReleaseError(f"{path}: {name} is encrypted")
    # Nothing is compressed, so entries that are larger than the file lie one in the other.
    if sum(entry.file_size for entry in entries) > size:
        raise ReleaseError(f"{path}: its entries are larger than itself")


def _small(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ReleaseError(f"{name}: more than {most} bytes")
    return data


def _signer(path: Path, manifest: bytes, signature: bytes | None, allowed: Path) -> str:
    if signature is None:
        raise ReleaseError(
            f"{path}: not signed, and this device takes signed releases only ({allowed})", code=SIGNATURE_CODE
        )
    try:
        return who_signed(manifest, signature, allowed)
    except SignatureError as problem:
        raise ReleaseError(f"{path}: {problem}", code=SIGNATURE_CODE) from None


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    try:
        yield
    except SkinEdgeError:
        raise  # said already; some are RuntimeErrors too
    except _MALFORMED as error:
        why = one_line(str(error) or type(error).__name__)
        raise ReleaseError(f"{path}: not a sound release file: {why}: copy it again", code=CODE) from None
