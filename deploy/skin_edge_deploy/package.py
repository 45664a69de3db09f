"""The bundle to push, checked here before any host is touched, as the one file that travels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skin_edge.model.bundle import ARCHIVE_SUFFIX, Bundle, open_bundle, pack_bundle, sha256_hex


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """A sound bundle as one file.

    Attributes:
        bundle: it, as it was opened and checked.
        data: the bytes of its `.skinmodel` archive.
        sha256: of `data`, in hex.
    """

    bundle: Bundle
    data: bytes
    sha256: str

    @property
    def identity(self) -> str:
        """NAME-VERSION."""
        return self.bundle.manifest.identity

    @property
    def upload_name(self) -> str:
        """The stem of its name during the upload: the same for the same bytes, so that they are resumed."""
        return self.sha256


def package(path: Path, scratch: Path) -> Package:
    """Return the bundle at `path`, a directory or a `.skinmodel` archive, ready to travel.

    Args:
        path: the bundle.
        scratch: an empty folder.

    Raises:
        BundleError: it must not be used.
        OSError: `scratch` does not take it.
    """
    bundle = open_bundle(path)
    # Packed anew even where it is an archive: the same bundle is then the same bytes, whoever zipped it.
    folder = path
    if not path.is_dir():
        from skin_edge.model.write import write_files

        folder = scratch / "bundle"
        folder.mkdir()
        write_files(folder, bundle)
    data = pack_bundle(folder, scratch / f"{bundle.manifest.identity}{ARCHIVE_SUFFIX}").read_bytes()
    return Package(bundle, data, sha256_hex(data))
