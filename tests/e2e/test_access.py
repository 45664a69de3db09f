"""WCAG 2.2 AA as far as a program can see it, and that every view fits every screen."""

from __future__ import annotations

import json

import pytest

# What a finger or an eye would miss: outside the screen, cut-off text, small targets.
LAYOUT = """() => {
  const found = [];
  const seen = (e) => e.checkVisibility() && !e.closest('svg, .quiet, .skip, [popover]');
  const name = (e) => `${e.tagName.toLowerCase()}${e.id ? '#' + e.id : ''}.${e.className}`;
  for (const e of document.body.querySelectorAll('*')) {
    if (!seen(e) || e.closest('.scroll, .rows, .sites, .settings-form')) continue;
    const r = e.getBoundingClientRect();
    if (r.width && (r.right > innerWidth + 1 || r.left < -1 || r.bottom > innerHeight + 1 || r.top < -1)) {
      found.push(`outside: ${name(e)}`);
    }
  }
  for (const e of document.body.querySelectorAll('button, a, input, select, summary')) {
    if (!seen(e)) continue;
    const r = e.getBoundingClientRect();
    const box = e.type === 'checkbox' && e.closest('label') ? e.closest('label').getBoundingClientRect() : r;
    if (Math.min(box.width, box.height) < 43.5) found.push(`small: ${name(e)} ${box.width}x${box.height}`);
    if (e.tagName === 'BUTTON' && !e.classList.contains('row') && !e.classList.contains('field')
        && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)) {
      found.push(`cut: ${name(e)}`);
    }
  }
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth || root.scrollHeight > innerHeight) found.push('the page scrolls');
  return found;
}"""


#: How to come from the capture view to each of the others, and back.
TOUR = {
    "capture": lambda page: page.click('[data-go="capture"]'),
    "subject": lambda page: page.click("#subject-button"),
    "site": lambda page: page.click("#site-button"),
    "result": lambda page: page.click("#shutter"),
    "history": lambda page: page.click('[data-go="history"]'),
    "settings": lambda page: page.click('[data-go="settings"]'),
}
VIEW = {"subject": "entry"}


@pytest.fixture
def tour(open_settings):
    """Every view after the first run, one after the other: `for name in tour(screen): ...`."""

    def go(screen):
        page = screen.page
        for name, move in TOUR.items():
            if name != "capture" and not page.locator('[data-view="capture"]').is_visible():
                TOUR["capture"](page)
                screen.view("capture")
            if name == "settings":
                move(page)
                screen.view("pin")
                yield "pin"
                open_settings(screen)
            else:
                move(page)
            screen.view(VIEW.get(name, name))
            if name == "history":
                page.locator(".row").first.wait_for()
            yield name
            if name in ("subject", "site"):
                page.keyboard.press("Escape")
                screen.view("capture")

    return go


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_axe_finds_nothing(start_kiosk, open_page, tour, axe, lang) -> None:
    screen = open_page(start_kiosk("demo"), lang=lang, accept=False, reduced_motion="reduce")
    page = screen.page
    found = {}

    def check(name: str) -> None:
        found.update({f"{name}: {rule}": elements for rule, elements in axe(screen).items()})

    screen.view("consent")
    check("consent")
    page.check("#consent-check")
    page.click("#consent-form button")
    page.locator("#shutter:enabled").wait_for(timeout=30_000)
    for name in tour(screen):
        check(name)
        if name == "result":
            page.click("details summary")
            check("details")
    page.click("#language-button")
    check("language")
    assert not found, json.dumps(found, indent=1, ensure_ascii=False)


@pytest.mark.parametrize(
    ("size", "lang"),
    [("800x480", "en"), ("800x480", "ar"), ("800x480", "es"), ("800x480", "bn"), ("1280x720", "bn"),
     ("1920x1080", "ar"), ("480x800", "bn"), ("1080x1920", "en")],
)  # fmt: skip
def test_every_view_fits(demo, open_page, tour, size, lang) -> None:
    screen = open_page(demo, lang=lang, size=size)
    found = {}
    for name in tour(screen):
        if name == "result":
            screen.until("document.getElementById('result-map').naturalWidth > 0")
        elif name == "capture":
            screen.until("document.getElementById('preview').naturalWidth > 0")
        screen.shot(f"{size}-{lang}-{name}")
        if problems := screen.page.evaluate(LAYOUT):
            found[name] = problems
    assert not found, json.dumps(found, indent=1, ensure_ascii=False)


def test_motion_is_reduced_where_that_is_asked_for(demo, open_page) -> None:
    screen = open_page(demo, reduced_motion="reduce")
    moving = """[...document.querySelectorAll('*')].filter(e => {
        const s = getComputedStyle(e);
        return s.animationName !== 'none' || s.transitionDuration.split(', ').some(d => d !== '0s');
    }).length"""
    assert screen.page.evaluate(moving) == 0
