"""A kiosk in a process of its own, for the benchmarks of the kiosk."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml


@dataclass(frozen=True, slots=True)
class Kiosk:
    """A running kiosk.

    Attributes:
        pid: of its process.
        http: a browser that has the page and has accepted the notice.
    """

    pid: int
    http: httpx.Client

    def post(self, path: str, body: object) -> httpx.Response:
        """Post as the page does."""
        token = {"X-CSRF-Token": self.http.cookies["skin_edge_csrf"]}
        return self.http.post(path, json=body, headers=token)


@contextlib.contextmanager
def running(source: str, settings: dict[str, object]) -> Iterator[Kiosk]:
    """Start `skin-edge kiosk` with a state folder of its own; end it with SIGTERM, which must give 0."""
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-m", "skin_edge", "kiosk", "--source", source, "--port", "0", "--json"]
        process = subprocess.Popen(
            [*command, "--config", str(config)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SKIN_EDGE_HOME": str(Path(folder) / "state")},
        )
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            with httpx.Client(base_url=url, timeout=60.0, trust_env=False) as http:
                http.get("/")
                kiosk = Kiosk(process.pid, http)
                kiosk.post("/api/consent", {"accepted": True}).raise_for_status()
                yield kiosk
            process.terminate()
            status = process.wait(30)
            if status:
                raise SystemExit(f"the kiosk ended with {status}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
