"""From the live picture to an answer."""

from __future__ import annotations

import json

import pytest


def test_capture_to_result(demo, open_page, run_cli) -> None:
    screen = open_page(demo)
    page = screen.page
    screen.until("document.getElementById('preview').naturalWidth > 0")
    before = demo.get("/api/results")["total"]

    page.click("#subject-button")
    for key in ("P", "-", "0", "1", "7"):
        page.click(f'#keyboard .key:text-is("{key}")')
    page.click("#entry-done")
    page.click("#site-button")
    page.click('#sites [data-site="forearm"]')
    page.click('#sides [data-side="left"]')
    page.click("#site-done")
    assert page.inner_text("#subject-value") == "P-017"
    assert page.inner_text("#site-value") == "forearm, left"
    screen.capture()

    record = demo.get("/api/results")["results"][0]
    assert demo.get("/api/results")["total"] == before + 1
    assert (record["subject"], record["site"]) == ("P-017", "left forearm")
    words = {"benign": "No suspicion found", "malignant": "Suspicious", "uncertain": "Uncertain"}
    assert page.inner_text("#result-title") == words[record["label"]]
    assert page.evaluate("document.activeElement.id") == "result-title"
    assert _percent(page.inner_text("#odds-figure")) == pytest.approx(100 * record["probability"], abs=0.5)
    assert f"{100 * record['threshold']:.0f}%" in page.inner_text("#scale-text").replace("\u2066", "")
    assert "not a diagnosis" in page.inner_text(".result .disclaimer")
    screen.until("document.getElementById('announce').textContent.includes('not a diagnosis')")

    # What the page acknowledged is what the command line finds.
    found = run_cli("results", "list", "--json", "--limit", "1", env={"SKIN_EDGE_HOME": str(demo.home)})
    assert json.loads(found.stdout.splitlines()[0])["result_id"] == record["result_id"]


def _percent(text: str) -> float:
    return float(text.strip("\u2066\u2069<> %"))


def test_the_map_fades_by_keyboard(demo, open_page) -> None:
    screen = open_page(demo)
    page = screen.page
    screen.capture()
    screen.until("document.getElementById('result-map').naturalWidth > 0")
    place = "id => document.getElementById(id).getBoundingClientRect().toJSON()"
    assert page.evaluate(place, "result-picture") == page.evaluate(place, "result-map")
    page.focus("#fade")
    page.keyboard.press("Home")
    screen.until("getComputedStyle(document.getElementById('result-map')).opacity === '0'")
    page.keyboard.press("End")
    screen.until("getComputedStyle(document.getElementById('result-map')).opacity === '1'")


def test_uncertain_says_why(start_kiosk, lesion, open_page, axe) -> None:
    screen = open_page(start_kiosk(f"replay:{lesion('uncertain')}"))
    screen.capture()
    screen.shot("800x480-en-uncertain")
    page = screen.page
    assert page.inner_text("#result-title") == "Uncertain"
    assert page.locator("#result-why li").all_inner_texts() == [
        "The probability lies in the range in which the model is often wrong."
    ]
    assert "refer the person to a clinician" in page.inner_text("#result-todo")
    assert page.locator("#odds").is_visible()
    assert axe(screen) == {}


def test_a_refused_picture_says_why_and_gives_no_probability(start_kiosk, lesion, open_page, axe) -> None:
    screen = open_page(start_kiosk(f"replay:{lesion('dark')}"))
    page = screen.page
    page.locator('#hint[data-level="poor"]').wait_for()
    assert page.inner_text("#hint-text") == "Too dark: add light, and uncover the lens."
    screen.capture()
    screen.shot("800x480-en-refused")
    assert page.inner_text("#result-title") == "Picture refused"
    assert page.locator("#result-why li").all_inner_texts() == ["Too dark: add light, and uncover the lens."]
    assert page.locator("#odds").is_hidden()
    assert page.locator("#fader").is_hidden()
    assert axe(screen) == {}


def test_everything_by_keyboard_alone(demo, open_page) -> None:
    screen = open_page(demo)
    page = screen.page
    screen.until("document.getElementById('shutter').getAttribute('aria-disabled') === 'false'")

    tab_to(page, "subject-button")
    page.keyboard.press("Enter")
    screen.view("entry")
    page.keyboard.type("K-1")
    page.keyboard.press("Enter")
    screen.view("capture")
    assert page.inner_text("#subject-value") == "K-1"

    tab_to(page, "shutter")
    page.keyboard.press("Space")
    screen.view("result")
    tab_to(page, "result-again")
    page.keyboard.press("Enter")
    screen.view("capture")

    tab_to(page, "language-button", back=True)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.lang") == "en"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "language-button"


def tab_to(page, name: str, *, back: bool = False) -> None:
    """Press Tab until an element has the focus; it must be seen to have it."""
    for _ in range(40):
        if page.evaluate("document.activeElement.id") == name:
            break
        page.keyboard.press("Shift+Tab" if back else "Tab")
    assert page.evaluate("document.activeElement.id") == name
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_second_press_does_not_capture_twice(demo, open_page) -> None:
    screen = open_page(demo)
    before = demo.get("/api/results")["total"]
    screen.page.locator("#shutter:enabled").wait_for()
    screen.page.evaluate("{ const b = document.getElementById('shutter'); b.click(); b.click(); b.click(); }")
    screen.view("result")
    assert demo.get("/api/results")["total"] == before + 1


def test_the_next_person_starts_empty(demo, open_page) -> None:
    screen = open_page(demo)
    page = screen.page
    page.click("#subject-button")
    page.keyboard.type("P-018")
    page.keyboard.press("Enter")
    screen.capture()
    page.click("#result-new")
    screen.view("capture")
    assert page.inner_text("#subject-value") == "not given"
