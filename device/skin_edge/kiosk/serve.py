"""The kiosk as a process: what is opened in which order, what systemd is told, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from skin_edge.config import Config
from skin_edge.errors import ConfigError, UsageError
from skin_edge.health.notify import Notifier
from skin_edge.kiosk.app import create_app
from skin_edge.kiosk.broadcast import Latest
from skin_edge.kiosk.consent import Consent
from skin_edge.kiosk.context import Kiosk, reading_keyring
from skin_edge.kiosk.guard import is_loopback
from skin_edge.kiosk.metrics import Metrics
from skin_edge.kiosk.overlay import Overlay
from skin_edge.kiosk.pin import Pin
from skin_edge.kiosk.preview_feed import PreviewFeed
from skin_edge.kiosk.station import Hooks, Station
from skin_edge.kiosk.token import Token

if TYPE_CHECKING:
    from skin_edge.model.classifier import Classifier

log = logging.getLogger(__name__)

#: systemd is told that the service is ready after the first classified frame, or this without one: the page
#: says better than a unit that fails to start what is wrong with a camera.
READY_S: Final = 30.0

#: Seconds for answers that are under way when the service is stopped.
_GRACE_S: Final = 3

#: Connections at once, besides which a browser is told to come again.
_MOST_CONNECTIONS: Final = 512

#: A client that takes nothing for so long is gone, whatever its machine says.
_DEAD_CLIENT_S: Final = 30


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        source: of frames.
        host: to listen at.
        port: likewise; 0 takes a free one.
    """

    source: str
    host: str
    port: int


def serve(
    settings: Config,
    options: Options,
    *,
    load: Callable[[], Classifier],
    on_listening: Callable[[str], None],
) -> None:
    """Serve until SIGTERM, which ends it well, or Ctrl-C.

    Args:
        settings: of everything.
        options: the command line's.
        load: loads the model.
        on_listening: told the address of the page once it can be asked for.

    Raises:
        UsageError: an address or a source that makes no sense or must not be used.
        ConfigError: TLS or the token cannot be used.
        ModelError: the model cannot be used.
        StorageError: the log or the PIN cannot be opened.
        KeyboardInterrupt: Ctrl-C; all is closed.
    """
    token = _check_exposure(settings, options.host)
    listener = _listen(options.host, options.port)
    with contextlib.closing(listener):
        asyncio.run(_run(settings, options, load, on_listening, token, listener))


async def _run(
    settings: Config,
    options: Options,
    load: Callable[[], Classifier],
    on_listening: Callable[[str], None],
    token: Token | None,
    listener: socket.socket,
) -> None:
    await _Service(settings, options, load, on_listening, token, listener).run()


class _Service:
    """One run of the kiosk in its event loop."""

    def __init__(
        self,
        settings: Config,
        options: Options,
        load: Callable[[], Classifier],
        on_listening: Callable[[str], None],
        token: Token | None,
        listener: socket.socket,
    ) -> None:
        self._settings = settings
        self._options = options
        self._load = load
        self._on_listening = on_listening
        self._token = token
        self._listener = listener
        self._interrupted = False
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Serve until a signal, or the end of the station."""
        loop = self._loop
        kiosk_settings = self._settings.kiosk
        overlay = Overlay(self._settings.state_dir(), self._settings)
        preview: Latest[bytes] = Latest(loop, kiosk_settings.max_clients)
        news: Latest[None] = Latest(loop, kiosk_settings.max_clients)
        with contextlib.closing(Notifier.from_environment()) as notifier:
            station = Station(
                overlay.settings,
                self._options.source,
                load=self._load,
                base=self._settings,
                hooks=Hooks(
                    changed=lambda: news.publish(None),
                    heartbeat=notifier.beat,
                    ended=self._station_ended,
                ),
                watched=lambda: preview.watchers > 0,
            )
            kiosk = Kiosk(
                station=station,
                overlay=overlay,
                preview=preview,
                news=news,
                pin=Pin(self._settings.state_dir()),
                consent=Consent(self._settings.state_dir()),
                metrics=Metrics(station, preview),
                keyring=reading_keyring(self._settings),
                token=self._token,
                secure=kiosk_settings.tls_cert is not None,
            )
            self._server = self._make_server(kiosk)
            feed = PreviewFeed(preview, station.camera.small, lambda: kiosk.settings.kiosk.preview_fps)
            self._closing = (preview, news)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._signalled, number)
            station.start()
            feed.start()
            ready = asyncio.ensure_future(_tell_ready(kiosk, notifier))
            try:
                if await asyncio.to_thread(station.wait_open):
                    await self._server.serve(sockets=[self._listener])
            finally:
                notifier.stopping()
                ready.cancel()
                self._end()
                stopped = await asyncio.to_thread(station.stop)
                await asyncio.to_thread(feed.join, 1.0)
                if not stopped:
                    log.warning("the camera did not close in time; every acknowledged result is in the log")
        if station.failure is not None:
            raise station.failure
        if self._interrupted:
            raise KeyboardInterrupt

    def _make_server(self, kiosk: Kiosk) -> _Server:
        settings = self._settings.kiosk
        host = self._options.host
        scheme = "http" if settings.tls_cert is None else "https"
        port = self._listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(
            create_app(kiosk, hosts=(*settings.hosts, host)),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,  # an address may hold the token
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=settings.tls_cert and str(Path(settings.tls_cert).expanduser()),
            ssl_keyfile=settings.tls_key and str(Path(settings.tls_key).expanduser()),
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"kiosk.tls_cert, kiosk.tls_key: cannot be used: {error}") from None
        return _Server(config, lambda: self._on_listening(f"{scheme}://{shown}:{port}/"))

    def _station_ended(self) -> None:
        """From the station's thread: without it there is nothing to serve."""
        with contextlib.suppress(RuntimeError):  # the loop did not wait for it, and has ended
            self._loop.call_soon_threadsafe(self._end)

    def _signalled(self, number: int) -> None:
        self._interrupted = number == signal.SIGINT
        self._end()

    def _end(self) -> None:
        """Let the streams end, then the server: it waits for its answers."""
        for latest in self._closing:
            latest.close()
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the service, and says when it listens."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()


async def _tell_ready(kiosk: Kiosk, notifier: Notifier) -> None:
    """Tell systemd that the service is ready, and go on telling what it does."""
    loop = asyncio.get_running_loop()
    until, number, told = loop.time() + READY_S, 0, ""
    ready = False
    while not kiosk.news.closed:
        issue = await kiosk.news.after(number, 1.0 if not ready else 60.0)
        number = number if issue is None else issue.number
        snapshot = kiosk.station.snapshot
        if not ready and (snapshot.classified_s is not None or loop.time() >= until):
            notifier.ready()
            ready = True
        camera = snapshot.camera
        text = f"camera {camera.state}" + (f": {camera.cause}" if camera.cause else "")
        if text != told:
            notifier.status(text)
            told = text


def _check_exposure(settings: Config, host: str) -> Token | None:
    """Return the token where other machines can reach the page; None where they cannot.

    Raises:
        UsageError: they could, without TLS or without a token.
        ConfigError: the token cannot be used.
    """
    kiosk = settings.kiosk
    if (kiosk.tls_cert is None) != (kiosk.tls_key is None):
        raise ConfigError("kiosk.tls_cert and kiosk.tls_key: one without the other; set both, or neither")
    if is_loopback(host):
        return None
    if kiosk.tls_cert is None or kiosk.token_file is None:
        raise UsageError(
            f"--host {host}: other machines could reach the page there: set kiosk.tls_cert, kiosk.tls_key "
            "and kiosk.token_file first, or leave it at 127.0.0.1",
            code="kiosk-exposed",
        )
    return Token.load(Path(kiosk.token_file).expanduser())


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        UsageError: the address is in use, or not one of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host} port {port}: {error.strerror or error}; is another kiosk running? "
            "Another port: --port N",
            code="kiosk-address",
        ) from None
    # Linux: inherited by every connection; what was sent and is not taken for so long ends it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_CLIENT_S * 1000)
    listener.setblocking(False)
    return listener
