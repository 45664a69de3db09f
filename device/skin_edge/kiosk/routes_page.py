"""The page, its files, and the way in from another machine."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2.utils import htmlsafe_json_dumps
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from skin_edge import __version__
from skin_edge.kiosk import i18n, token
from skin_edge.kiosk.context import Kiosk, in_thread, kiosk_of
from skin_edge.kiosk.guard import CSRF_COOKIE, csrf_token
from skin_edge.kiosk.refusal import RefusalError

_HERE: Final = Path(__file__).resolve().parent
TEMPLATES: Final = _HERE / "templates"
STATIC: Final = _HERE / "static"

LANGUAGE_COOKIE: Final = "lang"
_YEAR_S: Final = 31_536_000

# Python knows these from the machine's own tables, which differ.
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


async def page(request: Request) -> Response:
    """The page in the language that the client asks for."""
    kiosk = kiosk_of(request)
    lang = _language(request, kiosk)
    csrf = csrf_token(request)
    html = await in_thread(_render, lang, csrf, kiosk.consent.given)
    response = HTMLResponse(html)
    response.headers["Vary"] = "Accept-Language, Cookie"
    cookies = {CSRF_COOKIE: csrf}
    if request.query_params.get("lang") == lang:
        cookies[LANGUAGE_COOKIE] = lang
    for name, value in cookies.items():
        response.set_cookie(
            name, value, max_age=_YEAR_S, path="/", secure=kiosk.secure, httponly=True, samesite="strict"
        )
    return response


async def static(request: Request) -> Response:
    """A file of the page; one whose hash is asked for never changes."""
    path = _static_file(request.path_params["path"])
    if path is None:
        raise RefusalError(404, "no-such-page", "there is no such file")
    fresh = request.query_params.get("v") == await in_thread(_hash_of, path)
    kept = f"public, max-age={_YEAR_S}, immutable" if fresh else "no-cache"
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, headers={"Cache-Control": kept}, media_type=kind)


async def login(request: Request) -> Response:
    """Exchange the token for a cookie, and go on to the page."""
    kiosk = kiosk_of(request)
    if kiosk.token is None:
        return RedirectResponse("/", 303)
    if not kiosk.token.matches(request.query_params.get("token", "")):
        raise RefusalError(401, "token", "this is not the token", {"WWW-Authenticate": "Bearer"})
    response = RedirectResponse("/", 303)
    response.set_cookie(
        token.COOKIE,
        kiosk.token.cookie,
        max_age=_YEAR_S,
        path="/",
        secure=kiosk.secure,
        httponly=True,
        samesite="strict",
    )
    return response


def _language(request: Request, kiosk: Kiosk) -> str:
    """Return the language: asked for, chosen before, of the settings, of the browser, or English."""
    return i18n.choose(
        (
            request.query_params.get("lang"),
            request.cookies.get(LANGUAGE_COOKIE),
            kiosk.settings.kiosk.language,
            *i18n.accepted(request.headers.get("accept-language")),
        )
    )


def _render(lang: str, csrf: str, consent: bool) -> str:
    html: str = (
        _environment(lang)
        .get_template("index.html")
        .render(
            csrf_token=csrf,
            lang=lang,
            dir=i18n.direction(lang),
            languages=i18n.LANGUAGES,
            version=__version__,
            catalog=htmlsafe_json_dumps(i18n.js_catalog(lang)),
            consent=consent,
            static=static_url,
        )
    )
    return html


@cache
def _environment(lang: str) -> Any:
    """Return the templates in a language; made once for each, since translating is part of compiling."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(i18n.load(lang), newstyle=True)  # type: ignore[attr-defined]
    return environment


def static_url(path: str) -> str:
    """Return the address of a file of the page, with its hash, so that browsers may keep it for ever.

    Raises:
        LookupError: there is no such file.
    """
    found = _static_file(path)
    if found is None:
        raise LookupError(f"there is no static file {path!r}")
    return f"/static/{path}?v={_hash_of(found)}"


def _static_file(path: str) -> Path | None:
    """Return the file of a path below `static`; None where there is none, or it points elsewhere."""
    if "\0" in path:
        return None
    found = (STATIC / path).resolve()
    return found if found.is_relative_to(STATIC) and found.is_file() else None


@lru_cache(maxsize=256)
def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


ROUTES = [
    Route("/", page),
    Route("/login", login),
    Route("/static/{path:path}", static),
]
