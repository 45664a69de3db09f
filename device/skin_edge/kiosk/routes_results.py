"""What was decided: history, search and export, as the command line has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, cast, get_args

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from skin_edge.kiosk.context import Kiosk, in_thread, kiosk_of
from skin_edge.kiosk.refusal import RefusalError, json_response
from skin_edge.results.export import Format, write_records
from skin_edge.results.record import ResultRecord
from skin_edge.results.search import find, iter_found

MOST_RESULTS: Final = 200
_LIMIT: Final = 50
_MOST_OFFSET: Final = 1_000_000_000
_MOST_QUERY: Final = 200
_CHUNK_BYTES: Final = 65_536

_KINDS: Final = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "jsonl": ("application/x-ndjson", "jsonl"),
    "fhir": ("application/fhir+json", "json"),
}


async def results(request: Request) -> Response:
    """A page of the history, newest first."""
    kiosk = kiosk_of(request)
    query = _query(request)
    offset, limit = (
        _number(request, "offset", 0, 0, _MOST_OFFSET),
        _number(request, "limit", _LIMIT, 1, MOST_RESULTS),
    )
    found, total = await in_thread(_find, kiosk, query, offset, limit)
    return json_response({"results": found, "total": total})


async def result(request: Request) -> Response:
    """One result."""
    return json_response(await in_thread(_get, kiosk_of(request), request.path_params["result_id"]))


async def export(request: Request) -> Response:
    """The history as a file, in the order in which it was made; streamed, a few hundred rows in memory."""
    form = request.query_params.get("format", "csv")
    if form not in get_args(Format):
        raise RefusalError(422, "query", f"format: expected one of {', '.join(get_args(Format))}")
    kind, suffix = _KINDS[form]
    headers = {"Content-Disposition": f'attachment; filename="skin-edge-results.{suffix}"'}
    chunks = _export(kiosk_of(request), cast(Format, form), _query(request))
    # The first chunk before the head: a log that cannot be read is an error, not an empty file.
    first = await anext(chunks, b"")
    return StreamingResponse(_with_first(first, chunks), headers=headers, media_type=kind)


class _Chunks:
    """A file to write to in a thread, whose content goes to the event loop in pieces."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._pending = bytearray()

    def write(self, content: bytes) -> int:
        self._pending += content
        if len(self._pending) >= _CHUNK_BYTES:
            self.flush()
        return len(content)

    def flush(self) -> None:
        if self._pending:
            anyio.from_thread.run(self._send, bytes(self._pending))
            self._pending.clear()


async def _export(kiosk: Kiosk, form: Format, query: str) -> AsyncIterator[bytes]:
    send, receive = anyio.create_memory_object_stream[bytes](1)

    def write() -> None:
        log = kiosk.open_log()
        chunks = _Chunks(send.send)
        try:
            records = iter(()) if log is None else iter_found(log, query)
            write_records(records, cast(Any, chunks), form)
            chunks.flush()
        finally:
            if log is not None:
                log.close()

    async def run() -> None:
        async with send:
            try:
                await anyio.to_thread.run_sync(write, limiter=kiosk.exporting)
            except anyio.BrokenResourceError:
                return  # the client went away

    writing = asyncio.ensure_future(run())
    try:
        async with receive:  # closed early, it ends the thread at its next piece
            async for chunk in receive:
                yield chunk
    finally:
        await writing


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _find(kiosk: Kiosk, query: str, offset: int, limit: int) -> tuple[tuple[ResultRecord, ...], int]:
    log = kiosk.open_log()
    if log is None:
        return (), 0
    with log:
        return find(log, query, offset=offset, limit=limit)


def _get(kiosk: Kiosk, result_id: str) -> ResultRecord:
    log = kiosk.open_log()
    if log is None:
        raise RefusalError(404, "no-such-result", "there are no results yet")
    with log:
        return log.get(result_id)


def _query(request: Request) -> str:
    query = request.query_params.get("q", "").strip()
    if len(query) > _MOST_QUERY:
        raise RefusalError(422, "query", f"q: at most {_MOST_QUERY} characters")
    return query


def _number(request: Request, name: str, default: int, low: int, high: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and low <= int(text) <= high):
        raise RefusalError(422, "query", f"{name}: expected a whole number from {low} to {high}")
    return int(text)


ROUTES = [
    Route("/api/results", results),
    Route("/api/results/{result_id:str}", result),
    Route("/api/export", export),
]
