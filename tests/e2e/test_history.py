"""What was decided before: search, pages, export."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import cv2
import pytest

from skin_edge.camera.drawing import draw

ROWS = 23


@pytest.fixture(scope="module")
def kept(start_kiosk, cli_script, tmp_path_factory):
    """A kiosk whose log holds rows of the command line already."""
    home, photos = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("photos")
    picture = cv2.resize(draw(0, 0).pixels, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    for number in range(ROWS):
        cv2.imwrite(str(photos / f"{number:02}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    for subject, source in (("QR-1", str(photos)), ("ZN-2", str(photos / "00.png"))):
        who = ["--subject", subject, "--site", "left hand"]
        subprocess.run(
            [cli_script, "capture", "--source", f"replay:{source}", *who],
            env=os.environ | {"SKIN_EDGE_HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")},
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    return start_kiosk("demo", home=home)


@pytest.fixture
def history(kept, open_page):
    screen = open_page(kept)
    screen.page.click('[data-go="history"]')
    screen.page.locator(".row").first.wait_for()
    return screen


def test_pages(history) -> None:
    page = history.page
    assert page.inner_text("#history-range") == f"1 to 20 · {ROWS + 1} results"
    assert page.locator("#history-newer").is_disabled()
    page.click("#history-older")
    history.until("document.querySelectorAll('.row').length === 4")
    assert page.inner_text("#history-range") == f"21 to {ROWS + 1} · {ROWS + 1} results"
    assert page.locator("#history-older").is_disabled()
    page.click("#history-newer")
    history.until("document.querySelectorAll('.row').length === 20")


def test_search_by_typing_and_on_the_screen(history) -> None:
    page = history.page
    page.fill("#history-q", "zn-2")
    history.until("document.querySelectorAll('.row').length === 1")
    assert "hand, left" in page.inner_text(".row")

    page.click("#history-keyboard")
    for _ in range(4):
        page.click('#keyboard [data-key="erase"]')
    for key in ("Y", "Y"):
        page.click(f'#keyboard .key:text-is("{key}")')
    page.click("#entry-done")
    page.locator("#history-empty").wait_for()
    assert page.inner_text("#history-empty") == "Nothing fits this search."


def test_a_row_opens_and_leads_back(history) -> None:
    history.allowed.append("/api/pictures/")  # this picture was never this service's
    page = history.page
    page.fill("#history-q", "ZN-2")
    history.until("document.querySelectorAll('.row').length === 1")
    page.click(".row")
    history.view("result")
    page.locator("#result-curtain").wait_for()
    page.click("details summary")
    assert "ZN-2" in page.inner_text("#result-details")
    page.click("#result-back")
    history.view("history")
    assert page.input_value("#history-q") == "ZN-2"


def test_export(history) -> None:
    page = history.page
    page.fill("#history-q", "QR-1")
    history.until("document.getElementById('history-range').textContent.includes('23 results')")

    def download(kind: str) -> str:
        with page.expect_download() as started:
            page.click(f"#export-{kind}")
        assert started.value.suggested_filename.endswith({"fhir": ".json"}.get(kind, f".{kind}"))
        return Path(started.value.path()).read_text(encoding="utf-8-sig")

    rows = list(csv.DictReader(download("csv").splitlines()))
    assert [row["subject"] for row in rows] == ["QR-1"] * ROWS
    assert len([json.loads(line) for line in download("jsonl").splitlines()]) == ROWS
    assert json.loads(download("fhir"))["resourceType"] == "Bundle"
