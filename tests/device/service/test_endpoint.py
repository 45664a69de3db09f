"""/healthz as a real HTTP server says it, and the wait for it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from skin_edge.sections import KioskConfig
from skin_edge.service.endpoint import ask, page_url, wait

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]

HEALTHY = (200, b'{"status":"ok","frame_age_s":3.2}')
LOST = (503, b'{"error":{"code":"camera","message":"v4l2:0: no such device"}}')


@dataclass
class Page:
    """A page that answers what it is told to, the last answer again and again."""

    port: int
    answers: list[tuple[int, bytes]]
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture
def answering() -> Iterator[Page]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            status, body = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Page(server.server_address[1], [HEALTHY])
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        server.shutdown()


def test_a_frame_lately_is_healthy(answering: Page) -> None:
    health = ask(answering.url)
    assert (health.ok, health.why, answering.asked) == (True, "a frame was classified 3 s ago", ["/healthz"])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (LOST, "v4l2:0: no such device"),
        ((503, b'{"status":"ill","cause":"no frame for 80 s"}'), "no frame for 80 s"),
        ((503, b"{}"), "HTTP 503"),
        ((200, b"<html>router</html>"), "HTTP 200, and not what skin-edge would say: another program?"),
        ((404, b"[]"), "HTTP 404, and not what skin-edge would say: another program?"),
    ],
)
def test_everything_else_is_not(answering: Page, answer: tuple[int, bytes], why: str) -> None:
    answering.answers = [answer]
    health = ask(answering.url)
    assert (health.ok, health.status, health.why) == (False, answer[0], why)


def test_nobody_there_is_an_answer(answering: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", answering.url)  # would answer
    health = ask("http://127.0.0.1:1/")
    assert (health.ok, health.status) == (False, None)
    assert "does not answer" in health.why


def test_the_wait_ends_with_health(answering: Page) -> None:
    answering.answers = [LOST, LOST, HEALTHY]
    assert wait(answering.url, 30, pause_s=0.01).ok
    assert len(answering.asked) == 3


def test_the_wait_is_content_with_any_answer_after_a_while(answering: Page) -> None:
    answering.answers = [LOST]
    assert wait(answering.url, 30, any_answer_after_s=1.0, pause_s=0.02).status == 503
    assert len(answering.asked) >= 2


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (KioskConfig(), "http://127.0.0.1:8080/"),
        (KioskConfig(host="0.0.0.0", port=80), "http://127.0.0.1:80/"),
        (KioskConfig(host="::1", tls_cert="/etc/c.pem"), "https://[::1]:8080/"),
    ],
)
def test_the_address_of_the_page_on_this_machine(settings: KioskConfig, url: str) -> None:
    assert page_url(settings) == url


def test_the_command_waits(run_cli: RunCli, answering: Page, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"kiosk: {{port: {answering.port}}}\n")
    answering.answers = [LOST, HEALTHY]
    told = run_cli("service", "wait", "--timeout", "30", "--json", "--config", str(config))
    assert (told.returncode, json.loads(told.stdout)["ok"]) == (0, True)
    answering.answers = [LOST]
    told = run_cli("service", "wait", "--timeout", "0", "--config", str(config))
    assert (told.returncode, told.stderr.count("\n")) == (6, 1)
    assert "no such device" in told.stderr
    told = run_cli("service", "wait", "--timeout", "9", "--any-answer-after", "0", "--config", str(config))
    assert (told.returncode, told.stdout) == (0, "not healthy: v4l2:0: no such device\n")
