"""The PIN before the settings: kept as an argon2 hash, tried slowly, and a restart forgives nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Meta

from skin_edge.durable import make_directory, replacing
from skin_edge.errors import SkinEdgeError, StorageError
from skin_edge.results.faults import storage_faults
from skin_edge.strict import Strict

log = logging.getLogger(__name__)

FILE_NAME: Final = "kiosk-pin.json"

#: Tries in a row that cost nothing but their time.
FREE_TRIES: Final = 5
#: Seconds after the next wrong one; doubled with each further one, and at most the second.
FIRST_WAIT_S: Final = 30.0
MOST_WAIT_S: Final = 3_600.0

#: OWASP's second profile: 19 MiB for a twentieth of a second, which a board of 512 MB has.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

_MAX_BYTES: Final = 4096

PinText = Annotated[str, Meta(pattern=r"^[0-9]{4,12}$")]


class WrongPinError(SkinEdgeError):
    """Not the PIN."""

    code = "pin-wrong"


class TooManyTriesError(SkinEdgeError):
    """Too many wrong ones: wait.

    Attributes:
        retry_after_s: seconds to wait.
    """

    code = "pin-wait"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"too many wrong PINs: try again in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


class _Kept(Strict, frozen=True):
    hash: str
    failures: Annotated[int, Meta(ge=0)] = 0


class Pin:
    """The PIN of a state directory; from any thread, one at a time.

    Args:
        state_dir: the directory that holds the file.
        clock: monotonic, in seconds.

    Raises:
        StorageError: there is a file, and it cannot be read.
    """

    def __init__(self, state_dir: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = state_dir / FILE_NAME
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = self._read()
        # The wait begins anew with the process: the wall clock, which could tell how much of it is over,
        # may jump.
        self._blocked_until_s = self._clock() + _wait_s(self._kept.failures if self._kept else 0)

    @property
    def is_set(self) -> bool:
        """Whether there is a PIN."""
        return self._kept is not None

    def set(self, pin: str) -> None:
        """Make this the PIN.

        Raises:
            StorageError: it could not be made durable; the one before holds.
        """
        with self._lock:
            self._write(_Kept(hash=_HASHER.hash(pin)))
            self._blocked_until_s = 0.0

    def check(self, pin: str) -> None:
        """Return where this is the PIN. Takes a twentieth of a second and more, on purpose.

        Raises:
            WrongPinError: it is not.
            TooManyTriesError: it was not looked at.
            StorageError: the try could not be counted, so it was not made.
        """
        with self._lock:
            kept = self._kept
            if kept is None:
                raise WrongPinError("there is no PIN yet")
            left_s = self._blocked_until_s - self._clock()
            if left_s > 0:
                raise TooManyTriesError(left_s)
            # Counted before it is looked at: pulling the plug in between must not give a free try.
            self._write(msgspec.structs.replace(kept, failures=kept.failures + 1))
            try:
                _HASHER.verify(kept.hash, pin)
            except (VerificationError, InvalidHashError):
                self._blocked_until_s = self._clock() + _wait_s(kept.failures + 1)
                log.warning("wrong PIN, %d in a row", kept.failures + 1)
                raise WrongPinError("not the PIN") from None
            self._write(msgspec.structs.replace(kept, failures=0))

    def _read(self) -> _Kept | None:
        with storage_faults(self._path, "read the PIN"):
            try:
                with self._path.open("rb") as stream:
                    content = stream.read(_MAX_BYTES)
            except FileNotFoundError:
                return None
        try:
            return msgspec.json.decode(content, type=_Kept)
        except msgspec.DecodeError:
            raise StorageError(
                f"{self._path}: this is no PIN file; remove it, and set a PIN anew on the page",
                code="storage-corrupt",
            ) from None

    def _write(self, kept: _Kept) -> None:
        with storage_faults(self._path, "write the PIN"):
            make_directory(self._path.parent)
            with replacing(self._path) as stream:
                stream.write(msgspec.json.encode(kept))
        self._kept = kept


def _wait_s(failures: int) -> float:
    """Return the seconds to wait after so many wrong ones in a row."""
    beyond = failures - FREE_TRIES
    return 0.0 if beyond < 0 else min(MOST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(beyond, 30))
