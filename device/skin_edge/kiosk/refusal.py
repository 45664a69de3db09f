"""What a request is answered with when it is not served: a status, and a code that the page translates."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from skin_edge.errors import (
    CameraError,
    ImageError,
    SkinEdgeError,
    StorageError,
    UsageError,
)
from skin_edge.kiosk.requests import BusyError


class RefusalError(Exception):
    """A request that is not served.

    Args:
        status: of HTTP.
        code: stable, for the page and for scripts.
        message: one line for a person.
        headers: of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    @classmethod
    def of(cls, error: SkinEdgeError) -> RefusalError:
        """Return the refusal that says an error of the device."""
        return cls(_status(error), error.code, str(error))

    def response(self) -> Response:
        """Return it as JSON: ``{"error": {"code": ..., "message": ...}}``."""
        body = {"error": {"code": self.code, "message": self.message}}
        return json_response(body, self.status, self.headers)


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return plain data or a Struct as a JSON answer."""
    return Response(
        msgspec.json.encode(body), status, headers=headers, media_type="application/json; charset=utf-8"
    )


def _status(error: SkinEdgeError) -> int:
    if error.code == "no-such-result":
        return 404
    for kind, status in (
        (BusyError, 409),
        (CameraError, 503),
        (StorageError, 507),
        (ImageError, 422),
        (UsageError, 422),
    ):
        if isinstance(error, kind):
            return status
    return 500
