"""Captures, and what the page shows of them and of the camera."""

from __future__ import annotations

import asyncio
import time
import unicodedata
from typing import Annotated, Any

from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skin_edge.errors import SkinEdgeError
from skin_edge.kiosk.context import Kiosk, in_thread, json_body, kiosk_of
from skin_edge.kiosk.refusal import RefusalError, json_response
from skin_edge.kiosk.requests import CaptureRequest
from skin_edge.kiosk.streams import EventStream, MjpegStream
from skin_edge.session import Outcome
from skin_edge.strict import Strict

_Words = Annotated[str, Meta(max_length=200)]


class _Capture(Strict, frozen=True):
    subject: _Words | None = None
    site: _Words | None = None


class _Consent(Strict, frozen=True):
    accepted: bool


async def preview(request: Request) -> Any:
    """The live picture."""
    kiosk = kiosk_of(request)
    return MjpegStream(kiosk.preview, kiosk.metrics)


async def events(request: Request) -> Any:
    """The state, whenever it changes."""
    kiosk = kiosk_of(request)
    return EventStream(kiosk.news, lambda: kiosk.state(request))


async def state(request: Request) -> Response:
    """The state now."""
    return json_response(kiosk_of(request).state(request))


async def consent(request: Request) -> Response:
    """Accept the notice of the first run."""
    kiosk = kiosk_of(request)
    asked: _Consent = await json_body(request, _Consent)
    if not asked.accepted:
        raise RefusalError(422, "consent", "the notice must be accepted before a capture can be made")
    await in_thread(kiosk.consent.give)
    kiosk.news.publish(None)
    return json_response(kiosk.state(request))


async def capture(request: Request) -> Response:
    """Make one capture; the answer comes when its row is durable."""
    kiosk = kiosk_of(request)
    asked: _Capture = await json_body(request, _Capture)
    if not kiosk.consent.given:
        raise RefusalError(403, "consent", "the notice of the first run has not been accepted on this device")
    begun = time.perf_counter()
    try:
        outcome = await _answer(kiosk, kiosk.station.capture(_word(asked.subject), _word(asked.site)))
    except SkinEdgeError as error:
        kiosk.metrics.failed(error)
        raise
    kiosk.metrics.captured(outcome.record, time.perf_counter() - begun)
    bench = kiosk.station.bench
    assert bench is not None  # noqa: S101 - it has just made a capture
    await in_thread(kiosk.pictures.add, outcome, bench.session.crop_fraction)
    found = f"/api/pictures/{outcome.record.result_id}"
    body = {"result": outcome.record, "picture": f"{found}.jpg", "map": f"{found}.map.png"}
    return json_response(body)


async def _answer(kiosk: Kiosk, request: CaptureRequest) -> Outcome:
    """Wait for a capture; its frames have a time limit, deciding has none."""
    future = asyncio.wrap_future(request.future)
    try:
        return await asyncio.wait_for(asyncio.shield(future), request.timeout_s)
    except asyncio.TimeoutError:
        kiosk.station.expire(request)
        return await future
    except asyncio.CancelledError:
        future.cancel()
        raise


async def picture(request: Request) -> Response:
    """One of the two pictures of a recent capture."""
    kiosk = kiosk_of(request)
    result_id, _, kind = request.path_params["name"].partition(".")
    pair = kiosk.pictures.get(result_id)
    if pair is None or kind not in ("jpg", "map.png"):
        raise RefusalError(404, "no-picture", "the pictures of this capture are not kept any more")
    if kind == "jpg":
        return Response(pair.picture, media_type="image/jpeg")
    return Response(pair.activation_map, media_type="image/png")


def _word(text: str | None) -> str | None:
    """Return what was typed, without blanks around; None where that is nothing.

    Raises:
        RefusalError: it has line breaks or control characters.
    """
    bare = (text or "").strip()
    # Not `isprintable`: Bengali and Persian are written with joiners, which count as not printable.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in bare):
        raise RefusalError(422, "body", "subject and site are text of one line")
    return bare or None


ROUTES = [
    Route("/preview.mjpg", preview),
    Route("/api/events", events),
    Route("/api/state", state),
    Route("/api/consent", consent, methods=["POST"]),
    Route("/api/capture", capture, methods=["POST"]),
    Route("/api/pictures/{name:str}", picture),
]
