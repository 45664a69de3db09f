"""Where decisions go: the picture first, then the row that names it, then what is beyond the limits goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from skin_edge.config import Config
from skin_edge.errors import StorageError
from skin_edge.results.images import ImageStore
from skin_edge.results.keys import load_keyring
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import ResultRecord
from skin_edge.results.retention import Retention

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where results go.

    Attributes:
        log: the open results log.
        images: where pictures are kept too; None keeps none.
        retention: what is called after each row; None deletes nothing.
    """

    log: ResultsLog
    images: ImageStore | None = None
    retention: Retention | None = None

    def keep(
        self,
        record: ResultRecord,
        pixels: npt.NDArray[np.uint8],
        explanation: npt.NDArray[np.uint8] | None = None,
    ) -> ResultRecord:
        """Make a record durable, and its picture where pictures are kept; return it as it is in the log.

        On a full disk, what the settings allow to delete is deleted, and the record is tried once more.

        Args:
            record: with a `result_id`.
            pixels: (H, W, 3) uint8 RGB, what was classified.
            explanation: (H, W, 3) uint8 RGB, its activation map over it; None where it is not to be kept.

        Raises:
            StorageError: nothing of it is in the log, or it is not certain to be.
        """
        try:
            kept = self._write(record, pixels, explanation)
        except StorageError as error:
            if error.code != "storage-full" or self.retention is None:
                raise
            self.retention.enforce(now=True, quiet=True)  # where it does not help, the next line says so
            kept = self._write(record, pixels, explanation)
        if self.retention is not None:
            self.retention.enforce()
        return kept

    def _write(
        self,
        record: ResultRecord,
        pixels: npt.NDArray[np.uint8],
        explanation: npt.NDArray[np.uint8] | None,
    ) -> ResultRecord:
        if self.images is None:
            self.log.append(record)
            return record
        if record.result_id is None:
            raise ValueError("a record that is kept has an id")
        saved: list[str] = []
        try:
            path, sha256 = self.images.save(pixels, record.result_id)
            saved.append(path)
            record = msgspec.structs.replace(record, image_path=path, image_sha256=sha256)
            if explanation is not None:
                path, _ = self.images.save(explanation, record.result_id or "", "explanation")
                saved.append(path)
                record = msgspec.structs.replace(record, explanation_path=path)
            self.log.append(record)
        except StorageError:
            for path in saved:
                self.images.discard(path)
            raise
        return record


@contextmanager
def open_keeping(settings: Config, *, keep_images: bool) -> Iterator[Keeping]:
    """Open the log of the settings, with encryption and retention as they say; close it at the end.

    Args:
        settings: where state is, what is encrypted, what is deleted.
        keep_images: keep pictures too.

    Raises:
        ConfigError: the encryption key cannot be used.
        StorageError: the log cannot be opened.
    """
    state_dir = settings.state_dir()
    keyring = load_keyring(settings.encryption, to_write=True)
    with ResultsLog(state_dir, keyring=keyring) as log:
        retention = Retention(log, settings.retention)
        retention.enforce(now=True)
        yield Keeping(log, ImageStore(state_dir, keyring) if keep_images else None, retention)
