"""The web application: routes, what guards them, and errors as the page expects them."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skin_edge.errors import SkinEdgeError
from skin_edge.kiosk import routes_capture, routes_health, routes_page, routes_results, routes_settings
from skin_edge.kiosk.context import Kiosk
from skin_edge.kiosk.guard import Guard
from skin_edge.kiosk.headers import SecureHeaders
from skin_edge.kiosk.metrics import Metrics
from skin_edge.kiosk.refusal import RefusalError

log = logging.getLogger(__name__)


def create_app(kiosk: Kiosk, *, hosts: Iterable[str] = ()) -> ASGIApp:
    """Return the application of a kiosk.

    Args:
        kiosk: what the routes work on.
        hosts: names by which this machine may be asked for, besides those of loopback.
    """
    parts = (routes_page, routes_capture, routes_results, routes_settings, routes_health)
    app = Starlette(
        routes=[route for part in parts for route in part.ROUTES],
        exception_handlers={
            RefusalError: _refused,
            SkinEdgeError: _failed,
            HTTPException: _not_served,
            Exception: _internal,
        },
    )
    app.state.kiosk = kiosk
    guarded = Guard(app, hosts=hosts, token=kiosk.token, secure=kiosk.secure)
    return SecureHeaders(_Counted(guarded, kiosk.metrics))


class _Counted:
    """Counts answers by their status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.requests.labels(str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counted)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)  # noqa: S101 - what it is registered for
    return error.response()


async def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, SkinEdgeError)  # noqa: S101 - likewise
    refusal = RefusalError.of(error)
    if refusal.status >= 500:
        log.warning("%s: %s", error.code, error)
    return refusal.response()


async def _not_served(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - likewise
    code = {404: "no-such-page", 405: "method"}.get(error.status_code, "request")
    return RefusalError(error.status_code, code, error.detail, error.headers).response()


async def _internal(_: Request, error: Exception) -> Response:
    return RefusalError(500, "internal", "the kiosk has a bug: its log says more").response()
