"""Where the kiosk listens, and what it takes to listen to other machines."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from skin_edge.config import Config
from skin_edge.errors import ConfigError, UsageError
from skin_edge.kiosk.guard import is_loopback
from skin_edge.kiosk.token import Token

#: A client that takes nothing for so long is gone, whatever its machine says.
_DEAD_CLIENT_S: Final = 30

#: What the kernel holds for a client (it doubles the figure): a live picture in there is an old one.
_SEND_BUFFER_BYTES: Final = 32_768


def check_exposure(settings: Config, host: str) -> Token | None:
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


def listen(host: str, port: int) -> socket.socket:
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
    # Both are inherited by every connection. On Linux, what was sent and is not taken for so long ends it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_CLIENT_S * 1000)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    listener.setblocking(False)
    return listener
