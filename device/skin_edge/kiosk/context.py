"""What the routes share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import Request

from skin_edge.config import Config
from skin_edge.kiosk.broadcast import Latest
from skin_edge.kiosk.consent import Consent
from skin_edge.kiosk.overlay import Overlay
from skin_edge.kiosk.pictures import Pictures
from skin_edge.kiosk.pin import Pin
from skin_edge.kiosk.refusal import RefusalError
from skin_edge.kiosk.snapshot import state_object
from skin_edge.kiosk.station import Station
from skin_edge.kiosk.token import Token
from skin_edge.kiosk.unlocks import Unlocks
from skin_edge.results.keys import Keyring, load_keyring
from skin_edge.results.log import ResultsLog

if TYPE_CHECKING:
    from skin_edge.kiosk.metrics import Metrics

#: Bodies are a few lines of JSON.
_MAX_BODY_BYTES = 16_384

#: Exports at once; the next one waits.
_EXPORTS = 4


@dataclass(slots=True)
class Kiosk:
    """A running kiosk, for its routes; `request.app.state.kiosk`.

    Attributes:
        station: captures.
        overlay: the settings that the page may change.
        preview: the live picture as JPEG.
        news: that the state has changed.
        pin: before the settings.
        consent: of the first run.
        metrics: counters.
        keyring: what opens sealed rows; None where nothing is sealed, or its key is not at hand.
        token: what other machines must send; None on loopback.
        secure: requests come over TLS, and cookies go over nothing else.
        pictures: of the last captures.
        unlocks: who has shown the PIN.
        unlocking: held while a PIN is looked at: one at a time, so that nobody can fill the threads with it.
        exporting: threads for exports, which last as long as their clients let them.
    """

    station: Station
    overlay: Overlay
    preview: Latest[bytes]
    news: Latest[None]
    pin: Pin
    consent: Consent
    metrics: Metrics
    keyring: Keyring | None = None
    token: Token | None = None
    secure: bool = False
    pictures: Pictures = field(default_factory=Pictures)
    unlocks: Unlocks = field(default_factory=Unlocks)
    unlocking: asyncio.Lock = field(default_factory=asyncio.Lock)
    exporting: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(_EXPORTS))

    @property
    def settings(self) -> Config:
        """The settings in force."""
        return self.overlay.settings

    def state(self, request: Request) -> dict[str, Any]:
        """Return the object of `/api/state` for a client."""
        locked = not self.unlocks.is_open(request.cookies)
        return state_object(self.station.snapshot, consent=self.consent.given, locked=locked)

    def open_log(self) -> ResultsLog | None:
        """Open the log for reading, in the thread that will read it; None where there is none yet.

        Raises:
            StorageError: there is one, and it cannot be read.
        """
        return ResultsLog.open_readonly(self.settings.state_dir(), keyring=self.keyring)


def kiosk_of(request: Request) -> Kiosk:
    """Return the kiosk that a request came to."""
    kiosk: Kiosk = request.app.state.kiosk
    return kiosk


def reading_keyring(settings: Config) -> Keyring | None:
    """Return what opens sealed rows; None where nothing is sealed, or its key is not at hand.

    Raises:
        ConfigError: a key of the settings cannot be used.
    """
    return load_keyring(settings.encryption, to_write=False)


async def json_body(request: Request, kind: type[Any]) -> Any:
    """Return the body of a request as an instance of `kind`.

    Raises:
        RefusalError: too large, not JSON, or not of that form.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise RefusalError(413, "body", f"the body is larger than {_MAX_BODY_BYTES} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusalError(422, "body", f"the body is not as expected: {error}") from None


async def in_thread(work: Any, *args: Any) -> Any:
    """Run what may take long in a thread of its own, so that the event loop goes on."""
    return await anyio.to_thread.run_sync(work, *args)
