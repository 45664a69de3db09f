"""What the page shows when camera, service or disk are not as they should be."""

from __future__ import annotations

import signal


def test_camera_lost_and_back(start_kiosk, open_page) -> None:
    # Again and again, so that it does not matter how long the browser takes to start.
    screen = open_page(start_kiosk("fault:unplug,after=75,times=0,for=4,fps=15"))
    page = screen.page
    page.locator("#preview-curtain").wait_for(state="visible", timeout=30_000)
    screen.until("document.getElementById('curtain-what').textContent === 'Camera lost'")
    screen.until("document.getElementById('shutter').disabled")
    screen.until("document.getElementById('status-camera').textContent.trim() === 'Camera lost'")
    assert "unplugged" in page.inner_text("#curtain-cause")
    screen.shot("800x480-en-camera-lost")

    page.locator("#preview-curtain").wait_for(state="hidden", timeout=30_000)
    screen.until("!document.getElementById('shutter').disabled")
    screen.until("document.getElementById('status-camera').textContent.trim() === 'Camera ready'")
    screen.until("document.getElementById('preview').naturalWidth > 0")


def test_service_lost_and_back(start_kiosk, open_page, axe) -> None:
    kiosk = start_kiosk("demo")
    screen = open_page(kiosk)
    screen.allowed += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET"]
    page = screen.page
    kiosk.process.send_signal(signal.SIGKILL)
    kiosk.process.wait(10)
    page.locator('.banner[data-level="bad"]').wait_for()
    assert "Connection to the service lost" in page.inner_text("#banners")
    assert page.locator("#shutter").is_disabled()
    # What was true of the last picture is no longer told.
    assert page.get_attribute("#focus-bar", "aria-valuetext") == "unknown"
    page.wait_for_timeout(400)
    screen.shot("800x480-en-service-lost")
    assert axe(screen) == {}

    again = start_kiosk("demo", home=kiosk.home, port=kiosk.port)
    again.wait_for_camera()
    page.locator("#shutter:enabled").wait_for(timeout=20_000)
    assert page.inner_text("#banners") == ""
    screen.capture()


def test_a_result_that_cannot_be_saved_is_told_and_not_shown(demo, open_page) -> None:
    screen = open_page(demo)
    screen.allowed.append("/api/capture")
    page = screen.page
    # A full disk is proved on the service; here it is the page's answer to it that counts.
    page.route(
        "**/api/capture",
        lambda route: route.fulfill(
            status=507, json={"error": {"code": "storage-full", "message": "no space left on device"}}
        ),
    )
    page.locator("#shutter:enabled").click()
    page.locator("#capture-error:not(:empty)").wait_for()
    assert "could not be saved" in page.inner_text("#capture-error")
    screen.view("capture")
    assert page.evaluate("document.activeElement.id") == "shutter"


def test_a_preview_that_breaks_is_asked_for_again(demo, open_page) -> None:
    screen = open_page(demo)
    screen.allowed.append("/preview.mjpg")
    page = screen.page
    asked: list[str] = []

    def refuse(route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503, body="")

    page.route("**/preview.mjpg*", refuse)
    page.click('[data-go="history"]')
    page.click('[data-go="capture"]')
    screen.until("document.getElementById('preview').complete")
    while len(asked) < 3:
        page.wait_for_timeout(100)
    page.unroute("**/preview.mjpg*")
    screen.until("document.getElementById('preview').naturalWidth > 0")
    # It waited between its tries: half a second, then a second.
    assert len(asked) <= 4
