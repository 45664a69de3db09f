"""The page in a real browser: Debian's Chromium, driven by Playwright, on a real `skin-edge kiosk`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import cv2
import pytest

from skin_edge.camera.drawing import draw

ROOT: Final = Path(__file__).resolve().parents[2]

#: Where pictures of every view are left, to be looked at.
SHOTS: Final = ROOT / "build" / "kiosk-screenshots"

SIZES: Final = {
    "800x480": (800, 480),
    "1280x720": (1280, 720),
    "1920x1080": (1920, 1080),
    "480x800": (480, 800),
    "1080x1920": (1080, 1920),
}

_SWITCHES: Final = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-background-networking",
    "--disable-component-update",
)  # fmt: skip

#: A drawn lesion that the shipped model answers with "uncertain", as (seed, number).
_UNCERTAIN: Final = (0, 5)


def find_chromium() -> str | None:
    """The browser: SKIN_EDGE_CHROMIUM, else the machine's own."""
    named = os.environ.get("SKIN_EDGE_CHROMIUM")
    return named or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


def pytest_report_header() -> str:
    """Say at the top of every run whether the tests in a browser will run."""
    return f"skin-edge browser: {find_chromium() or 'MISSING (apt install chromium): skips tests/e2e'}"


@dataclass(slots=True)
class KioskProcess:
    """A running `skin-edge kiosk`, at an address, with a state directory of its own."""

    url: str
    process: subprocess.Popen[str]
    home: Path

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return urlsplit(self.url).port or 0

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        with urllib.request.urlopen(f"{self.url.rstrip('/')}{path}", timeout=10) as answer:
            return json.load(answer)

    def wait_for_camera(self) -> None:
        """Return when it has pictures."""
        deadline = time.monotonic() + 30
        while self.get("/api/state")["camera"]["state"] != "ok":
            assert time.monotonic() < deadline, "no picture within 30 s"
            time.sleep(0.1)

    def stop(self) -> int:
        """End it as a service is ended; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


StartKiosk = Callable[..., KioskProcess]


@pytest.fixture(scope="module")
def start_kiosk(cli_script: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartKiosk]:
    """Start a kiosk: `start_kiosk("demo", home=..., port=...)`; it is ended with the module."""
    with ExitStack() as stack:

        def start(source: str, *, home: Path | None = None, port: int = 0) -> KioskProcess:
            home = home or tmp_path_factory.mktemp("kiosk")
            env = {name: value for name, value in os.environ.items() if not name.startswith("SKIN_EDGE_")}
            env |= {"SKIN_EDGE_HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "LC_ALL": "C.UTF-8"}
            with (home / "stderr.txt").open("a") as stderr:
                process = subprocess.Popen(
                    [cli_script, "kiosk", "--source", source, "--port", str(port), "--json"],
                    env=env, text=True, stdout=subprocess.PIPE, stderr=stderr,
                )  # fmt: skip
            stack.callback(_end, process)
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (home / "stderr.txt").read_text()
            return KioskProcess(json.loads(line)["url"], process, home)

        yield start


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(20)
    finally:
        process.kill()
    # Some tests kill it themselves.
    assert status in (0, -signal.SIGKILL), status


@pytest.fixture(scope="module")
def demo(start_kiosk: StartKiosk) -> KioskProcess:
    """A kiosk with drawn lesions, shared by the tests of a module."""
    return start_kiosk("demo")


@pytest.fixture(scope="session")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Pictures with a known answer, as PNG: `uncertain`, and `dark`, which is refused."""

    def make(kind: str) -> Path:
        path = tmp_path_factory.mktemp("lesion") / f"{kind}.png"
        pixels = draw(*_UNCERTAIN).pixels
        if kind == "dark":
            pixels = (pixels * 0.1).astype("uint8")
        assert cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        return path

    return make


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser; without one, the tests are skipped, and fail where continuous integration runs them."""
    path = find_chromium()
    if path is None:
        missing = "no Chromium found: apt install chromium, or name one in SKIN_EDGE_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    api = pytest.importorskip("playwright.sync_api")
    # Ended with the module: its event loop must not meet tests that start one of their own.
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_SWITCHES))
        yield browser
        browser.close()


@dataclass(slots=True)
class Screen:
    """A page, and everything it complained of.

    Attributes:
        page: Playwright's.
        troubles: errors of scripts and on the console, and requests that left the loopback.
        allowed: parts of such complaints that the test brings about on purpose.
    """

    page: Any
    troubles: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def view(self, name: str) -> Any:
        """The view of that name, once it is shown."""
        found = self.page.locator(f'[data-view="{name}"]')
        found.wait_for(state="visible", timeout=20_000)
        return found

    def capture(self) -> Any:
        """Press the large button; return the view of the result."""
        self.page.locator("#shutter:enabled").click()
        return self.view("result")

    def until(self, condition: str) -> None:
        """Return when an expression is true in the page.

        Playwright's own wait needs an eval, which the page's policy forbids.
        """
        deadline = time.monotonic() + 20
        while not self.page.evaluate(f"Boolean({condition})"):
            assert time.monotonic() < deadline, f"still not so after 20 s: {condition}"
            self.page.wait_for_timeout(50)

    def shot(self, name: str) -> None:
        """Leave a picture for people to look at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def complaints(self) -> list[str]:
        """What is left of the troubles."""
        return [trouble for trouble in self.troubles if not any(part in trouble for part in self.allowed)]


OpenPage = Callable[..., Screen]


@pytest.fixture
def open_page(chromium: Any) -> Iterator[OpenPage]:
    """Open the page of a kiosk: `open_page(kiosk, lang="ar", size="800x480")`, past the first run.

    When the test ends, nothing may be on the console, and nothing may have been asked of another machine.
    """
    opened: list[tuple[Screen, Any]] = []

    def open_it(
        kiosk: KioskProcess, *, lang: str = "en", size: str = "800x480", accept: bool = True, **options: Any
    ) -> Screen:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, timezone_id="UTC", locale="en-GB", **options
        )
        context.set_default_timeout(20_000)
        screen = Screen(context.new_page())
        opened.append((screen, context))
        _listen(screen)
        screen.page.goto(f"{kiosk.url}?lang={lang}")
        screen.page.locator("[data-view]:visible").first.wait_for()
        if accept:
            if screen.page.locator('[data-view="consent"]').is_visible():
                screen.page.check("#consent-check")
                screen.page.click("#consent-form button")
            screen.view("capture")
            screen.page.locator("#shutter:enabled").wait_for(timeout=30_000)
        return screen

    yield open_it
    complaints = [complaint for screen, _ in opened for complaint in screen.complaints()]
    for _, context in opened:
        context.close()
    assert complaints == []


def _listen(screen: Screen) -> None:
    def console(message: Any) -> None:
        if message.type in ("error", "warning"):
            screen.troubles.append(f"console: {message.text} ({message.location.get('url', '')})")

    def request(asked: Any) -> None:
        if not asked.url.startswith(("data:", "blob:")) and urlsplit(asked.url).hostname != "127.0.0.1":
            screen.troubles.append(f"request: {asked.url}")

    screen.page.on("console", console)
    screen.page.on("pageerror", lambda error: screen.troubles.append(f"script: {error}"))
    screen.page.on("request", request)


PIN: Final = "2468"

#: What the button says where the PIN is chosen, in the page's language.
_NEXT: Final = "JSON.parse(document.getElementById('catalog').textContent)['Next']"


def unlock(screen: Screen) -> None:
    """Enter the PIN, or choose it the first time, and wait for the settings."""
    page = screen.page
    for _ in range(2 if page.inner_text("#pin-done-text") == page.evaluate(_NEXT) else 1):
        page.fill("#pin-input", PIN)
        page.click("#pin-done")
    page.locator(".setting").first.wait_for()


#: AAA and best practices are not claimed.
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def axe() -> Callable[[Screen], dict[str, list[str]]]:
    """What axe-core has against the page as it is shown now: rule to elements."""
    runner = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = {"runOnly": {"type": "tag", "values": _TAGS}, "resultTypes": ["violations"]}

    def check(screen: Screen) -> dict[str, list[str]]:
        violations = runner.run(screen.page, options=options).response["violations"]
        return {rule["id"]: [node["html"][:120] for node in rule["nodes"]] for rule in violations}

    return check


@pytest.fixture
def open_settings() -> Callable[[Screen], None]:
    """Go to the settings and through the PIN."""

    def go(screen: Screen) -> None:
        if not screen.page.locator('[data-view="pin"]').is_visible():
            screen.page.click('[data-go="settings"]')
        screen.view("pin")
        unlock(screen)

    return go
