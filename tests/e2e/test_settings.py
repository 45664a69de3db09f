"""The settings behind the PIN."""

from __future__ import annotations


def press(page, digits: str) -> None:
    for digit in digits:
        page.click(f'#pin-pad [data-digit="{digit}"]')
    page.click("#pin-done")


def test_a_pin_is_chosen_twice_and_then_asked_for(start_kiosk, open_page) -> None:
    screen = open_page(start_kiosk("demo"))
    screen.allowed.append("/api/unlock")
    page = screen.page
    page.click('[data-go="settings"]')
    screen.view("pin")
    assert page.inner_text("#pin-label") == "Choose a PIN"
    press(page, "12")
    assert page.inner_text("#pin-error") == "A PIN has 4 to 12 digits."
    press(page, "1357")
    assert page.inner_text("#pin-label") == "Repeat the PIN"
    press(page, "1358")
    page.locator("#pin-error:not(:empty)").wait_for()
    assert page.inner_text("#pin-error") == "The two PINs differ. Choose again."
    press(page, "1357")
    press(page, "1357")
    screen.view("settings")

    page.click("#settings-lock")
    screen.view("capture")
    page.click('[data-go="settings"]')
    screen.view("pin")
    assert page.inner_text("#pin-label") == "PIN"
    press(page, "9999")
    page.locator("#pin-error:not(:empty)").wait_for()
    assert page.inner_text("#pin-error") == "This PIN is wrong."
    assert page.input_value("#pin-input") == ""
    for _ in range(8):
        press(page, "9999")
        screen.until("document.getElementById('pin-error').textContent !== ''")
        if page.inner_text("#pin-error").startswith("Too many tries."):
            break
    assert page.inner_text("#pin-error").startswith("Too many tries. Try again in ")


def test_a_changed_operating_point_is_the_next_answers(start_kiosk, open_page, open_settings) -> None:
    kiosk = start_kiosk("demo")
    screen = open_page(kiosk)
    page = screen.page
    open_settings(screen)
    page.select_option("#setting-operating_point", "sensitivity-95")
    page.click("#settings-save")
    page.locator("#settings-saved:not(:empty)").wait_for()
    assert page.inner_text("#settings-saved") == "Saved."
    page.click('[data-go="capture"]')
    screen.view("capture")
    screen.capture()
    assert kiosk.get("/api/results")["results"][0]["operating_point"] == "sensitivity-95"
    assert "sensitivity-95" in page.inner_text("#scale-text")


def test_a_value_out_of_bounds_is_named_at_its_field(demo, open_page, open_settings) -> None:
    screen = open_page(demo)
    screen.allowed.append("/api/settings")
    page = screen.page
    open_settings(screen)
    page.fill("#setting-burst", "99")
    page.click("#settings-save")
    page.locator("#error-burst:not(:empty)").wait_for()
    assert page.inner_text("#error-burst") == "Between 1 and 50."
    assert page.get_attribute("#setting-burst", "aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == "setting-burst"


def test_whoever_comes_next_finds_the_settings_locked(demo, open_page, open_settings) -> None:
    screen = open_page(demo)
    open_settings(screen)
    screen.page.click('[data-go="history"]')
    screen.view("history")
    screen.page.click('[data-go="settings"]')
    screen.view("pin")


def test_a_finger_types_a_number_and_the_settings_stay_open(demo, open_page, open_settings) -> None:
    screen = open_page(demo, has_touch=True)
    page = screen.page
    open_settings(screen)
    page.tap("#setting-retention_days")
    screen.view("entry")
    for digit in "90":
        page.tap(f'#keyboard .key:text-is("{digit}")')
    page.tap("#entry-done")
    screen.view("settings")
    assert page.input_value("#setting-retention_days") == "90"
    page.tap("#settings-save")
    page.locator("#settings-saved:not(:empty)").wait_for()

    page.tap("#setting-retention_days")
    page.tap('[data-go="capture"]')
    screen.view("capture")
    screen.until("!document.querySelector('[data-go=\"settings\"]').disabled")
    page.tap('[data-go="settings"]')
    screen.view("pin")
