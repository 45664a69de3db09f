"""Zip files from strangers: exactly the expected entries, never more bytes than allowed.

A bundle's archive is one, and so is the golden.npz inside it.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from skin_edge.errors import BundleError
from skin_edge.model.bundle import MAX_BYTES, check_names
from skin_edge.model.manifest import one_line

#: Headers and names of a handful of entries take a few hundred bytes.
MAX_OVERHEAD_BYTES = 64 * 1024
_ENCRYPTED = 0x1 | 0x40
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: What zipfile and zlib raise on hostile bytes, besides BadZipFile: all of them mean the same here.
_MALFORMED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    ArithmeticError,
    OSError,
)


def read_archive(path: Path) -> dict[str, bytes]:
    """Return the files of the `.skinmodel` archive at `path` by name.

    Raises:
        BundleError: not a zip, or not one that holds exactly a bundle.
        OSError: `path` cannot be read.
    """
    limit = sum(MAX_BYTES.values()) + MAX_OVERHEAD_BYTES
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise BundleError(f"larger than {limit} bytes, more than a bundle can need")
    files = read_zip(data, MAX_BYTES)
    check_names(list(files))
    return files


def read_zip(data: bytes, max_bytes: Mapping[str, int]) -> dict[str, bytes]:
    """Return the entries of a zip in memory by name.

    Args:
        data: the zip.
        max_bytes: the names that may be there, and the unpacked size each may have.

    Raises:
        BundleError: not a zip, damaged, or with an entry that is not plainly one of those files.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = [entry.orig_filename for entry in entries]
            for name in names:
                if name not in max_bytes:
                    raise BundleError(f"{one_line(repr(name), 80)} does not belong there")
            if len(set(names)) != len(names):
                raise BundleError("holds a file twice")
            return {entry.orig_filename: _read_entry(archive, entry, max_bytes) for entry in entries}
    except BundleError:
        raise
    except _MALFORMED as error:
        raise BundleError(f"not a sound zip file: {one_line(str(error) or type(error).__name__)}") from None


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, max_bytes: Mapping[str, int]) -> bytes:
    name, limit = entry.orig_filename, max_bytes[entry.orig_filename]
    if entry.flag_bits & _ENCRYPTED:
        raise BundleError(f"{name}: is encrypted")
    if entry.compress_type not in _COMPRESSIONS:
        raise BundleError(f"{name}: compression method {entry.compress_type} is not allowed")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        raise BundleError(f"{name}: is a link or another special file")
    if entry.file_size > limit:
        raise BundleError(f"{name}: {entry.file_size} bytes, at most {limit} are allowed")
    with archive.open(entry) as stream:
        content = stream.read(limit + 1)  # unpacks no further than this
    if len(content) != entry.file_size:
        raise BundleError(f"{name}: is not as long as its header says")
    return content
