"""The settings behind the PIN."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skin_edge.kiosk import unlocks
from skin_edge.kiosk.context import Kiosk, in_thread, json_body, kiosk_of
from skin_edge.kiosk.overlay import schema
from skin_edge.kiosk.pin import PinText, TooManyTriesError, WrongPinError
from skin_edge.kiosk.refusal import RefusalError, json_response
from skin_edge.strict import Strict


class _Unlock(Strict, frozen=True):
    pin: PinText
    repeat: PinText | None = None


class _NewPin(Strict, frozen=True):
    pin: PinText
    repeat: PinText


async def unlock(request: Request) -> Response:
    """Open the settings with the PIN; where there is none yet, this sets it."""
    kiosk = kiosk_of(request)
    asked: _Unlock = await json_body(request, _Unlock)
    if kiosk.unlocking.locked():
        raise RefusalError(429, "pin-wait", "another PIN is being looked at", {"Retry-After": "1"})
    async with kiosk.unlocking:
        if kiosk.pin.is_set:
            await _check(kiosk, asked.pin)
        elif asked.repeat is None:
            raise RefusalError(409, "pin-unset", "there is no PIN yet: send it twice, as pin and repeat")
        else:
            await _set(kiosk, asked.pin, asked.repeat)
    return _opened(kiosk)


async def change_pin(request: Request) -> Response:
    """Set another PIN; every browser is locked but this one."""
    kiosk = kiosk_of(request)
    _require_unlocked(kiosk, request)
    asked: _NewPin = await json_body(request, _NewPin)
    await _set(kiosk, asked.pin, asked.repeat)
    kiosk.unlocks.close_all()
    return _opened(kiosk)


async def lock(request: Request) -> Response:
    """Close the settings in this browser."""
    kiosk = kiosk_of(request)
    kiosk.unlocks.close(request.cookies)
    response = json_response({"locked": True})
    response.delete_cookie(unlocks.COOKIE, path="/", secure=kiosk.secure, httponly=True, samesite="strict")
    kiosk.news.publish(None)
    return response


async def read(request: Request) -> Response:
    """The settings that the page may change, and what a form for them needs."""
    kiosk = kiosk_of(request)
    _require_unlocked(kiosk, request)
    return json_response(_told(kiosk))


async def write(request: Request) -> Response:
    """Change settings; what is not named stays."""
    kiosk = kiosk_of(request)
    _require_unlocked(kiosk, request)
    asked = await json_body(request, dict[str, Any])
    points, _ = _operating_points(kiosk)
    settings = await in_thread(kiosk.overlay.change, asked, points)
    kiosk.station.apply(settings)
    kiosk.news.publish(None)
    return json_response(_told(kiosk))


def _told(kiosk: Kiosk) -> dict[str, Any]:
    points, default = _operating_points(kiosk)
    return {
        "values": kiosk.overlay.values(),
        "schema": schema(points, default),
        "restart_needed": False,
        "problem": kiosk.overlay.problem,
    }


def _operating_points(kiosk: Kiosk) -> tuple[tuple[str, ...], str]:
    bench = kiosk.station.bench
    if bench is None:
        raise RefusalError(
            503, "starting", "the model is being loaded: try again in a moment", {"Retry-After": "1"}
        )
    return bench.operating_points, bench.default_operating_point


def _require_unlocked(kiosk: Kiosk, request: Request) -> None:
    if not kiosk.unlocks.is_open(request.cookies):
        code = "locked" if kiosk.pin.is_set else "pin-unset"
        raise RefusalError(403, code, "the settings are locked: unlock them with the PIN")


async def _check(kiosk: Kiosk, pin: str) -> None:
    try:
        await in_thread(kiosk.pin.check, pin)
    except TooManyTriesError as error:
        wait = {"Retry-After": str(math.ceil(error.retry_after_s))}
        raise RefusalError(429, error.code, str(error), wait) from None
    except WrongPinError as error:
        raise RefusalError(403, error.code, str(error)) from None


async def _set(kiosk: Kiosk, pin: str, repeat: str) -> None:
    if pin != repeat:
        raise RefusalError(422, "pin-repeat", "the two PINs are not the same")
    await in_thread(kiosk.pin.set, pin)


def _opened(kiosk: Kiosk) -> Response:
    for_s = kiosk.settings.kiosk.unlock_s
    response = json_response({"locked": False, "expires_s": for_s})
    response.set_cookie(
        unlocks.COOKIE,
        kiosk.unlocks.open(for_s),
        max_age=int(for_s),
        path="/",
        secure=kiosk.secure,
        httponly=True,
        samesite="strict",
    )
    kiosk.news.publish(None)
    return response


ROUTES = [
    Route("/api/unlock", unlock, methods=["POST"]),
    Route("/api/lock", lock, methods=["POST"]),
    Route("/api/pin", change_pin, methods=["POST"]),
    Route("/api/settings", read, methods=["GET"]),
    Route("/api/settings", write, methods=["POST"]),
]
