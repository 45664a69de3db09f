"""A real kiosk, `skin-edge kiosk` in a process of its own on loopback, and a client as the page is one."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

pytest.importorskip("uvicorn", reason="needs the extra: pip install 'skin-edge[kiosk]'")

CSRF_COOKIE = "skin_edge_csrf"


class Running:
    """A kiosk that listens, and one browser's cookies."""

    def __init__(self, process: subprocess.Popen[str], url: str, state: Path, **client: Any) -> None:
        self.process = process
        self.url = url
        self.state = state
        self._client = client
        self.http = self.browser()
        self.stderr: list[str] = []

    def browser(self) -> httpx.Client:
        """Another browser, which has no cookies yet."""
        return httpx.Client(base_url=self.url, timeout=30.0, trust_env=False, **self._client)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        """Post as the page does: with the token of its cookie."""
        if CSRF_COOKIE not in self.http.cookies:
            self.http.get("/")
        sent = {"X-CSRF-Token": self.http.cookies[CSRF_COOKIE], "Content-Type": "application/json"} | headers
        return self.http.post(path, content=json.dumps({} if body is None else body), headers=sent)

    def capture(self, **body: object) -> httpx.Response:
        return self.post("/api/capture", body)

    def consent(self) -> Running:
        assert self.post("/api/consent", {"accepted": True}).status_code == 200
        return self

    def snapshot(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/api/state").json()
        return found

    def metric(self, name: str) -> float:
        from prometheus_client.parser import text_string_to_metric_families as parse

        samples = [s for family in parse(self.get("/metrics").text) for s in family.samples if s.name == name]
        return sum(sample.value for sample in samples)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 20.0) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)


def eventually(holds: Callable[[], Any], timeout_s: float = 20.0, every_s: float = 0.05) -> Any:
    """Return the first true value of `holds()`, and fail where there is none in time."""
    deadline = time.monotonic() + timeout_s
    while not (found := holds()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(every_s)
    return found


Start = Callable[..., Running]


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    return eventually


@contextlib.contextmanager
def _starting(folder: Path, base_env: dict[str, str]) -> Iterator[Start]:
    started: list[Running] = []

    def start(
        source: str = "demo",
        *args: str,
        config: dict[str, Any] | None = None,
        state: Path | None = None,
        prefix: tuple[str, ...] = (),
        client: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
        verbose: bool = False,
    ) -> Running:
        home = state or folder / "state"
        settings = folder / f"config-{len(started)}.yaml"
        settings.write_text(yaml.safe_dump(config or {}))
        command = [
            *prefix,
            sys.executable,
            "-m",
            "skin_edge",
            *(["-v"] if verbose else []),
            "kiosk",
            "--source",
        ]
        command += [source, "--port", "0", "--json", "--config", str(settings), *args]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**base_env, "SKIN_EDGE_HOME": str(home), **(env or {})},
        )
        lines: queue.Queue[str] = queue.Queue()
        heard: list[str] = []
        threading.Thread(
            target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True
        ).start()
        threading.Thread(target=lambda: heard.extend(process.stderr or ()), daemon=True).start()
        try:
            url = json.loads(lines.get(timeout=60))["url"]
        except queue.Empty:
            process.kill()
            pytest.fail(f"the kiosk did not start: {heard}")
        running = Running(process, url, home, **(client or {}))
        running.stderr = heard
        started.append(running)
        return running

    try:
        yield start
    finally:
        for running in started:
            running.http.close()
            if running.process.poll() is None:
                running.process.kill()
            running.process.wait(10)


@pytest.fixture
def start_kiosk(tmp_path: Path, cli_env: dict[str, str]) -> Iterator[Start]:
    """Return a function that starts a kiosk: `start_kiosk("demo", config={...})`; it is killed at the end."""
    with _starting(tmp_path, cli_env) as start:
        yield start


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A kiosk with drawn lesions that the tests of a module share, its notice accepted."""
    import os

    folder = tmp_path_factory.mktemp("kiosk")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SKIN_EDGE_", "XDG_"))}
    with _starting(folder, kept | {"HOME": str(folder)}) as start:
        running = start()
        eventually(lambda: running.get("/healthz").status_code == 200)
        yield running.consent()
