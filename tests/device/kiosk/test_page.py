"""The page and its files as they are served: language, caching, nothing from outside."""

from __future__ import annotations

import re
from typing import Any

import pytest


def test_files_with_their_hash_may_be_kept_for_ever_and_others_are_asked_for_anew(kiosk: Any) -> None:
    named = re.findall(r'(?:src|href)="(/static/[^"]+)"', kiosk.get("/").text)
    assert any(".js" in name for name in named)
    assert any(".css" in name for name in named)
    for name in named:
        answer = kiosk.get(name)
        assert answer.status_code == 200, name
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable", name
        bare = kiosk.get(name.partition("?")[0])
        assert bare.headers["cache-control"] == "no-cache"
        assert bare.content == answer.content
        assert kiosk.get(name.partition("?")[0] + "?v=0").headers["cache-control"] == "no-cache"
        kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[
            name.partition("?")[0][-3:].strip(".")
        ]
        assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    ("accepted", "lang", "direction"),
    [("es-MX,es;q=0.9,en;q=0.5", "es", "ltr"), ("fr, ar;q=0.8, en;q=0.1", "ar", "rtl"), ("bn", "bn", "ltr"),
     ("fr", "en", "ltr"), ("", "en", "ltr"), (";;q=,,", "en", "ltr"), ("x" * 4000, "en", "ltr")],
)  # fmt: skip
def test_the_language_is_the_browsers_until_one_is_chosen(
    kiosk: Any, accepted: str, lang: str, direction: str
) -> None:
    with kiosk.browser() as browser:
        html = browser.get("/", headers={"Accept-Language": accepted}).text
    assert re.search(rf'<html[^>]*lang="{lang}"[^>]*dir="{direction}"', html)


def test_what_is_asked_for_in_the_address_is_not_written_into_the_page(kiosk: Any) -> None:
    with kiosk.browser() as browser:
        browser.cookies.set("skin_edge_csrf", '"><script>alert(1)</script>')
        html = browser.get("/", params={"lang": "<script>alert(1)</script>"}).text
    assert "alert(1)" not in html


def test_the_page_asks_no_other_machine(kiosk: Any) -> None:
    html = kiosk.get("/").text
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', html):
        assert re.match(r"[/#?](?!/)", address) or address == "", address
    assert "<script>" not in html
    assert not re.search(r"\son\w+=", html), "inline handlers, which the policy refuses"
    assert not re.search(r"\sstyle=", html), "inline styles, likewise"
