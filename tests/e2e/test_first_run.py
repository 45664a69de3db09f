"""The first use of a device: conditions, accepted once."""

from __future__ import annotations


def test_nothing_can_be_captured_before_the_conditions_are_accepted(start_kiosk, open_page) -> None:
    kiosk = start_kiosk("demo")
    screen = open_page(kiosk, accept=False)
    page = screen.page
    screen.view("consent")
    screen.shot("800x480-en-consent")
    assert "no diagnosis" in page.inner_text('[data-view="consent"]')
    assert page.locator(".tabs button:enabled").count() == 0

    page.click("#consent-form button")
    assert page.inner_text("#consent-error") == "Please confirm that you have read this."
    assert page.evaluate("document.activeElement.id") == "consent-check"
    assert not kiosk.get("/api/state")["consent"]

    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    screen.view("capture")
    assert kiosk.get("/api/state")["consent"]

    page.reload()
    screen.view("capture")
    assert page.locator('[data-view="consent"]').is_hidden()


def test_the_conditions_can_be_read_in_another_language(start_kiosk, open_page) -> None:
    screen = open_page(start_kiosk("demo"), accept=False)
    page = screen.page
    page.click("#language-button")
    page.click('[data-lang="ar"]')
    page.wait_for_url("**/?lang=ar")
    screen.view("consent")
    assert page.inner_text("#consent-title") == "قبل أول استخدام"
