"""A file that travels to hosts, read from the disk where it is sent: not held in memory for each of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Cargo:
    """A file to send.

    Attributes:
        path: where it lies here.
        size_bytes: of it.
        sha256: of it, in hex.
    """

    path: Path
    size_bytes: int
    sha256: str

    @property
    def suffix(self) -> str:
        """As ``.skinmodel``: its name on a host ends so."""
        return self.path.suffix

    @property
    def upload_name(self) -> str:
        """Its name while it is uploaded: the same for the same bytes, so that they are resumed."""
        return f"{self.sha256}.part"


def cargo(path: Path) -> Cargo:
    """Return the file at `path`, hashed.

    Raises:
        OSError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Cargo(path, size, digest.hexdigest())
