"""Other sites in the same browser, other machines and rebound names get nothing; headers are everywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROUTES = (
    "/", "/healthz", "/metrics", "/api/state", "/api/results", "/api/results/none", "/api/export",
    "/api/pictures/none.jpg", "/api/settings", "/static/none.js", "/login", "/nowhere", "/api/capture",
)  # fmt: skip


@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_has_the_headers(kiosk: Any, path: str) -> None:
    headers = kiosk.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' blob:",
        "connect-src": "'self'", "font-src": "'self'", "form-action": "'self'", "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }  # fmt: skip
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "camera=()" in headers["permissions-policy"]
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/preview.mjpg", "/api/events"])
def test_streams_have_them_too(kiosk: Any, path: str) -> None:
    with kiosk.http.stream("GET", path) as stream:
        assert stream.headers["content-security-policy"].startswith("default-src 'none'")
        assert stream.headers["cache-control"] == "no-store"


def test_refusals_have_them_too(kiosk: Any) -> None:
    refused = kiosk.get("/", headers={"Host": "evil.example"})
    assert refused.status_code == 403
    assert refused.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]", "", "["]
)
def test_another_name_is_refused_as_after_rebinding(kiosk: Any, host: str) -> None:
    for path in ("/", "/api/state", "/healthz"):
        refused = kiosk.get(path, headers={"Host": host})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "host")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "LOCALHOST:80", "[::1]:8080"])
def test_names_of_this_machine_are_served(kiosk: Any, host: str) -> None:
    assert kiosk.get("/api/state", headers={"Host": host}).status_code == 200


def post(kiosk: Any, *, drop: tuple[str, ...] = (), **headers: str) -> tuple[int, str]:
    kiosk.get("/")
    sent = {"X-CSRF-Token": kiosk.http.cookies["skin_edge_csrf"], "Content-Type": "application/json"}
    sent = {
        k: v
        for k, v in (sent | {k.replace("_", "-"): v for k, v in headers.items()}).items()
        if k not in drop
    }
    answer = kiosk.http.post("/api/lock", content="{}", headers=sent)
    return answer.status_code, answer.json().get("error", {}).get("code", "")


def test_a_change_needs_the_pages_token(kiosk: Any) -> None:
    assert post(kiosk) == (200, "")
    assert post(kiosk, drop=("X-CSRF-Token",)) == (403, "csrf")
    assert post(kiosk, **{"X-CSRF-Token": "0" * 43}) == (403, "csrf")
    with kiosk.browser() as other:  # no cookie at all
        refused = other.post("/api/lock", json={}, headers={"X-CSRF-Token": ""})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "csrf")


def test_a_change_comes_from_the_page_itself(kiosk: Any) -> None:
    here = kiosk.url.rstrip("/")
    assert post(kiosk, Origin=here) == (200, "")
    for origin in ("http://evil.example", "null", here.replace("http:", "https:"), here + "0"):
        assert post(kiosk, Origin=origin) == (403, "origin")
    assert post(kiosk, **{"Sec-Fetch-Site": "cross-site"}) == (403, "origin")
    assert post(kiosk, **{"Sec-Fetch-Site": "same-origin"}) == (200, "")


def test_a_form_cannot_make_a_change(kiosk: Any) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert post(kiosk, **{"Content-Type": kind}) == (415, "content-type")


def test_another_site_gets_no_data_but_may_link_here(kiosk: Any) -> None:
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert kiosk.get("/api/state", headers=cross).status_code == 403
    assert kiosk.get("/", headers=cross | {"Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_the_cookie_of_the_page_is_out_of_reach_of_scripts_and_sites(kiosk: Any) -> None:
    with kiosk.browser() as browser:
        cookie = browser.get("/").headers["set-cookie"]
        token = browser.cookies["skin_edge_csrf"]
        assert f'content="{token}"' in browser.get("/").text
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()


def test_only_get_and_post_of_what_there_is(kiosk: Any) -> None:
    assert kiosk.http.request("PUT", "/api/settings").status_code in (405, 415)
    assert kiosk.get("/api/capture").status_code == 405
    assert kiosk.http.head("/preview.mjpg").status_code == 200
    assert kiosk.get("/static/../serve.py").status_code == 404
    assert kiosk.get("/static/%2e%2e/serve.py").status_code == 404
    assert kiosk.get("/static/%2e%2e%2fserve.py").status_code == 404
    assert kiosk.get("/static//etc/passwd").status_code == 404


def test_no_answer_points_to_another_machine(kiosk: Any) -> None:
    for path in ("/", "/api/state"):
        text = kiosk.get(path).text
        assert "//" not in text.replace("<!doctype html>", "").replace(kiosk.url, "")


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path, cli_env: dict[str, str]) -> None:
    script = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'uvicorn':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from skin_edge.cli.main import main\n"
        "main(['kiosk', '--source', 'demo'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=cli_env)
    assert done.returncode == 2
    assert done.stderr == (
        "skin-edge: 'kiosk' needs uvicorn, which is not installed: pip install 'skin-edge[kiosk]'\n"
    )
