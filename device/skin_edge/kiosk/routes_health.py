"""For whoever watches over the kiosk: is it well, and its figures."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skin_edge.kiosk.context import in_thread, kiosk_of
from skin_edge.kiosk.metrics import CONTENT_TYPE
from skin_edge.kiosk.refusal import json_response
from skin_edge.kiosk.snapshot import age_s


async def healthz(request: Request) -> Response:
    """200 where a frame was classified lately, else 503 and why."""
    kiosk = kiosk_of(request)
    snapshot, limit_s = kiosk.station.snapshot, kiosk.settings.kiosk.healthy_s
    age = age_s(snapshot.classified_s)
    if age is not None and age <= limit_s:
        return json_response({"status": "ok", "frame_age_s": age})
    camera = snapshot.camera
    if camera.state != "ok":
        cause = camera.cause or "the camera has given no frame yet"
    elif age is None:
        cause = "no frame was classified yet"
    else:
        cause = f"no frame was classified for {age:g} s"
    body = {"status": "ill", "frame_age_s": age, "camera": camera.state, "cause": cause}
    return json_response(body, 503)


async def metrics(request: Request) -> Response:
    """All figures, for Prometheus."""
    # In a thread: the figures of the process are read from /proc.
    return Response(await in_thread(kiosk_of(request).metrics.text), media_type=CONTENT_TYPE)


ROUTES = [Route("/healthz", healthz), Route("/metrics", metrics)]
