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

# AAA and best practices are not claimed.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_axe_finds_nothing(start_kiosk, open_page, tour, lang) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    screen = open_page(start_kiosk("demo"), lang=lang, accept=False, reduced_motion="reduce")
    page = screen.page
    found = {}

    def check(name: str) -> None:
        for violation in axe.run(page, options=options).response["violations"]:
            found[f"{name}: {violation['id']}"] = [node["html"][:120] for node in violation["nodes"]]

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
