"""The bundle to push, checked here before any host is touched, as the one file that travels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skin_edge.model.bundle import ARCHIVE_SUFFIX, Bundle, open_bundle, pack_bundle
from skin_edge_deploy.cargo import Cargo, cargo


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """A sound bundle as one file.

    Attributes:
        bundle: it, as it was opened and checked.
        cargo: its `.skinmodel` archive.
    """

    bundle: Bundle
    cargo: Cargo

    @property
    def identity(self) -> str:
        """NAME-VERSION."""
        return self.bundle.manifest.identity


def package(path: Path, scratch: Path) -> Package:
    """Return the bundle at `path`, a directory or a `.skinmodel` archive, ready to travel.

    Args:
        path: the bundle.
        scratch: an empty folder; what travels lies in it.

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
    archive = pack_bundle(folder, scratch / f"{bundle.manifest.identity}{ARCHIVE_SUFFIX}")
    return Package(bundle, cargo(archive))
