"""Who may ask: by the names of this machine, from its own page, and from elsewhere with the token."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from skin_edge.kiosk.refusal import RefusalError
from skin_edge.kiosk.token import Token

CSRF_COOKIE: Final = "skin_edge_csrf"
CSRF_HEADER: Final = "x-csrf-token"

#: Names by which a browser on the machine itself may ask.
LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})

#: For watchdogs and collectors on the machine itself, which have no cookie.
_OPEN_TO_LOOPBACK: Final = frozenset({"/healthz", "/metrics"})

_SAFE: Final = frozenset({"GET", "HEAD"})


class Guard:
    """Refuses requests that the page did not make.

    A page of another site that the same browser shows may send requests here, and by rebinding a DNS name
    even read the answers: the first is stopped by Origin, fetch metadata and the token of the page, the
    second by the Host header, which then names the other site.

    Args:
        app: the application.
        hosts: names and addresses that are this machine, without port.
        token: what other machines must send; None where only loopback is listened at.
        secure: requests come over TLS.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], token: Token | None, secure: bool) -> None:
        self._app = app
        self._hosts = LOOPBACK_NAMES | {host.strip("[]").lower() for host in hosts}
        self._token = token
        self._scheme = "https" if secure else "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            self._check(request)
        except RefusalError as refusal:
            await refusal.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, request: Request) -> None:
        host = request.headers.get("host", "")
        if _name_of(host) not in self._hosts:
            raise RefusalError(
                403, "host", f"this machine is not called {host[:100]!r}: see kiosk.hosts in the settings"
            )
        if self._token is not None and not self._may_enter(request, self._token):
            raise RefusalError(
                401, "token", "send the token: Authorization: Bearer, or once /login?token=",
                {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        if request.method in _SAFE:
            _check_fetch_metadata(request)
        else:
            self._check_change(request, host)

    def _may_enter(self, request: Request, token: Token) -> bool:
        path = request.url.path
        if path in _OPEN_TO_LOOPBACK and is_loopback(request.client.host if request.client else ""):
            return True
        return path == "/login" or token.admits(request)

    def _check_change(self, request: Request, host: str) -> None:
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() != f"{self._scheme}://{host.lower()}":
            raise RefusalError(403, "origin", "only the kiosk's own page may ask for this")
        _check_fetch_metadata(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RefusalError(415, "content-type", "the body must be application/json")
        cookie = request.cookies.get(CSRF_COOKIE, "")
        sent = request.headers.get(CSRF_HEADER, "")
        if not cookie or not secrets.compare_digest(cookie.encode(), sent.encode()):
            raise RefusalError(403, "csrf", "the page is out of date: load it again")


def is_loopback(host: str) -> bool:
    """True for an address, or the name, of this machine that no other machine can reach."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def csrf_token(connection: HTTPConnection) -> str:
    """Return the token that the page is to send back: the one of its cookie, else a new one."""
    present = connection.cookies.get(CSRF_COOKIE, "")
    usable = (
        32 <= len(present) <= 64 and present.isascii() and present.replace("-", "").replace("_", "").isalnum()
    )
    return present if usable else secrets.token_urlsafe(32)


def _check_fetch_metadata(request: Request) -> None:
    """Refuse what the browser itself says another site asked for, but for following a link to the page."""
    site = request.headers.get("sec-fetch-site", "none")
    followed = request.headers.get("sec-fetch-mode") == "navigate" and request.method in _SAFE
    if site not in ("none", "same-origin") and not followed:
        raise RefusalError(403, "origin", "only the kiosk's own page may ask for this")


def _name_of(host: str) -> str:
    """Return the name or address in a Host header, in lower case; empty where it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
