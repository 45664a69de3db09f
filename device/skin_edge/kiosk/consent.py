"""That the notice of the first run was accepted: when, and in which version; nothing about who."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec

from skin_edge import __version__
from skin_edge.durable import make_directory, replacing
from skin_edge.results.faults import storage_faults
from skin_edge.results.record import utc_timestamp

FILE_NAME: Final = "kiosk-consent.json"


class Consent:
    """The consent of a state directory.

    Args:
        state_dir: the directory that holds the file.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE_NAME
        self._given = self._path.is_file()

    @property
    def given(self) -> bool:
        """Whether the notice was accepted on this device."""
        return self._given

    def give(self) -> None:
        """Note that it was.

        Raises:
            StorageError: that could not be made durable.
        """
        note = {"accepted_at": utc_timestamp(time.time()), "skin_edge_version": __version__}
        with storage_faults(self._path, "note the consent"):
            make_directory(self._path.parent)
            with replacing(self._path) as stream:
                stream.write(msgspec.json.encode(note))
        self._given = True
