"""The two answers that do not end: the live picture and the state, both from the newest only.

Written against ASGI itself: `send` returns when the socket has taken the bytes, so that a slow client waits
here, alone, and gets the newest picture when it comes back.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skin_edge.kiosk.broadcast import FullError, Latest
from skin_edge.kiosk.metrics import Metrics
from skin_edge.kiosk.refusal import RefusalError

_BOUNDARY: Final = b"skin-edge-frame"

#: An event is sent at least so often, and a stream that is closed is noticed.
EVENT_S: Final = 5.0


class _Stream(ABC):
    """An ASGI answer that goes on until its client or the service ends.

    Args:
        latest: what it is made of.
    """

    media_type: bytes

    def __init__(self, latest: Latest[Any]) -> None:
        self._latest = latest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until there is nobody to send to."""
        if scope["method"] == "HEAD":
            await Response(headers={"Content-Type": self.media_type.decode()})(scope, receive, send)
            return
        try:
            with self._latest.watching():
                await self._serve(receive, send)
        except FullError:
            refusal = RefusalError(
                503, "clients", "too many pages are open: close some", {"Retry-After": "5"}
            )
            await refusal.response()(scope, receive, send)

    async def _serve(self, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", self.media_type), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if not sending.cancelled() and (error := sending.exception()) is not None:
            if isinstance(error, OSError):
                return  # the client went away in the middle of a picture
            raise error
        if self._latest.closed:
            with suppress(OSError):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    @abstractmethod
    async def _send_all(self, send: Send) -> None:
        """Send until `latest` is closed."""


class MjpegStream(_Stream):
    """The live picture as multipart/x-mixed-replace.

    Args:
        latest: JPEGs.
        metrics: counts what was sent, and what a slow client did not get.
    """

    media_type = b"multipart/x-mixed-replace; boundary=" + _BOUNDARY

    def __init__(self, latest: Latest[bytes], metrics: Metrics) -> None:
        super().__init__(latest)
        self._metrics = metrics

    async def _send_all(self, send: Send) -> None:
        number = 0
        # A browser shows a picture when it sees the boundary after it, so that goes out with the picture.
        await send(_body(b"--" + _BOUNDARY + b"\r\n"))
        while not self._latest.closed:
            issue = await self._latest.after(number, EVENT_S)
            if issue is None:
                continue
            if number:
                self._metrics.preview_dropped.inc(issue.number - number - 1)
            number = issue.number
            head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(issue.value)
            await send(_body(head + issue.value + b"\r\n--" + _BOUNDARY + b"\r\n"))
            self._metrics.preview_sent.inc()


class EventStream(_Stream):
    """The state as server-sent events: with every change, and every few seconds.

    Args:
        latest: that there is a change.
        state: gives the object.
    """

    media_type = b"text/event-stream; charset=utf-8"

    def __init__(self, latest: Latest[None], state: Callable[[], dict[str, Any]]) -> None:
        super().__init__(latest)
        self._state = state

    async def _send_all(self, send: Send) -> None:
        number = 0
        await send(_body(b"retry: 1000\n\n"))
        while not self._latest.closed:
            await send(_body(b"event: state\ndata: " + msgspec.json.encode(self._state()) + b"\n\n"))
            issue = await self._latest.after(number, EVENT_S)
            number = number if issue is None else issue.number


def _body(content: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": True}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
