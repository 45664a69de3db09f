"""Four languages, at any time, in the direction in which each is written."""

from __future__ import annotations

import pytest

CAPTURE = {"en": "Capture", "es": "Capturar", "bn": "ছবি তুলুন", "ar": "التقاط"}


@pytest.mark.parametrize("lang", CAPTURE)
def test_the_page_speaks_each_language(demo, open_page, lang) -> None:
    screen = open_page(demo, lang=lang)
    page = screen.page
    assert page.get_attribute("html", "lang") == lang
    assert page.get_attribute("html", "dir") == ("rtl" if lang == "ar" else "ltr")
    assert page.inner_text("#shutter-text") == CAPTURE[lang]


def test_a_switch_keeps_what_was_entered_and_the_result(demo, open_page) -> None:
    screen = open_page(demo)
    page = screen.page
    page.click("#subject-button")
    page.keyboard.type("P-020")
    page.keyboard.press("Enter")
    page.click("#site-button")
    page.click('#sites [data-site="knee"]')
    page.click("#site-done")
    screen.capture()
    shown = page.inner_text("#odds-figure").strip("\u2066\u2069<> %")

    page.click("#language-button")
    page.click('[data-lang="es"]')
    page.wait_for_url("**/?lang=es")
    screen.view("result")
    assert page.inner_text("#odds-figure").strip("\u2066\u2069<> %\u00a0").replace(",", ".") == shown
    page.click("#result-again")
    assert page.inner_text("#subject-value") == "P-020"
    assert page.inner_text("#site-value") == "rodilla"

    # Kept for this browser, and nothing of the person is.
    page.goto(demo.url)
    assert page.get_attribute("html", "lang") == "es"
    assert page.inner_text("#subject-value") == "sin indicar"
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0


def test_arabic_runs_from_right_to_left(demo, open_page) -> None:
    screen = open_page(demo, lang="ar")
    left = "id => document.querySelector(id).getBoundingClientRect().left"
    assert screen.page.evaluate(left, ".capture .stage") > screen.page.evaluate(left, ".capture .panel")
    assert screen.page.evaluate(left, '[data-go="capture"]') > screen.page.evaluate(
        left, '[data-go="settings"]'
    )
    # Figures do not: a map of probability from 0 to 100 reads the same everywhere.
    screen.capture()
    assert screen.page.evaluate("getComputedStyle(document.getElementById('scale')).direction") == "ltr"


@pytest.mark.parametrize(("lang", "keys"), [("bn", ["ক", "া"]), ("ar", ["م", "ح"]), ("es", ["ñ"])])
def test_the_keyboard_has_the_letters_of_the_language(demo, open_page, lang, keys) -> None:
    screen = open_page(demo, lang=lang)
    page = screen.page
    page.click("#site-button")
    page.click("#site-other")
    screen.view("entry")
    for key in keys:
        page.click(f'#keyboard .key:text-is("{key}")')
    assert page.input_value("#entry-input") == "".join(keys)
    page.click('#keyboard [data-key="erase"]')
    assert page.input_value("#entry-input") == "".join(keys[:-1])
