// The page's own keyboard: the device's display has none. A real keyboard works beside it.

import { byId, el, icon } from "./dom.js";
import { _, lang } from "./i18n.js";
import { LAYOUTS } from "./layouts.js";

const place = byId("keyboard");

let input = null;
let layout = lang in LAYOUTS ? lang : "en";
let page = 0;

/** Draw the keyboard for a text field. Pseudonyms are in Latin letters mostly, so `latin` starts with those. */
export function keyboardFor(field, { latin = false, digits = false } = {}) {
  input = field;
  if (digits) return drawDigits();
  layout = latin && lang !== "es" ? "en" : lang in LAYOUTS ? lang : "en";
  page = latin && (layout === "en" || layout === "es") ? 1 : 0;
  return draw();
}

function drawDigits() {
  place.dir = "ltr";
  place.replaceChildren(
    el("div", { class: "keys" }, ...[..."1234567890"].map((digit) => key(digit, { onclick: () => type(digit) }))),
    el("div", { class: "keys" },
      key(".", { class: "key w4", onclick: () => type(".") }),
      el("span", { class: "w4" }),
      key(icon("erase"), { class: "key tool w2", "aria-label": _("Delete"), "data-key": "erase", onclick: erase })),
  );
}

function draw() {
  const { pages } = LAYOUTS[layout];
  // The letters are laid out as the language is written; rows of digits are the same everywhere.
  place.dir = layout === "ar" ? "rtl" : "ltr";
  place.lang = layout;
  const rows = pages[page].map((row, at) =>
    el("div", { class: "keys", dir: at === 0 ? "ltr" : null },
      ...row.map((letter) => key(letter, { onclick: () => type(letter) }))));
  rows.push(el("div", { class: "keys" }, ...tools(pages)));
  place.replaceChildren(...rows);
}

function tools(pages) {
  const next = nextLayout();
  return [
    pages[1]
      ? key(icon("shift"), { class: "key tool w2", "aria-label": _("More letters"), "aria-pressed": String(page === 1), "data-key": "shift", onclick: shift })
      : el("span", { class: "w2" }),
    key(LAYOUTS[next].name, { class: "key tool w2", "aria-label": _("Keyboard: {name}", { name: LAYOUTS[next].name }), lang: next, "data-key": "layout", onclick: () => { layout = next; page = 0; draw(); focusKey("layout"); } }),
    key(_("Space"), { class: "key tool w4", lang, "data-key": "space", onclick: () => type(" ") }),
    key(icon("erase"), { class: "key tool w2", "aria-label": _("Delete"), lang, "data-key": "erase", onclick: erase }),
  ];
}

function key(content, attributes) {
  return el("button", {
    type: "button", class: "key", ...attributes,
    // The caret stays in the field when a finger or a mouse presses; a key pressed by keyboard keeps the focus.
    onpointerdown: (event) => event.preventDefault(),
  }, content);
}

function focusKey(name) {
  place.querySelector(`[data-key="${name}"]`)?.focus({ preventScroll: true });
}

function nextLayout() {
  // Latin letters and the page's own follow each other; the others come behind them.
  const names = [...new Set(["en", lang, ...Object.keys(LAYOUTS)])].filter((name) => name in LAYOUTS);
  return names[(names.indexOf(layout) + 1) % names.length];
}

function shift() {
  page = 1 - page;
  draw();
  focusKey("shift");
}

function type(text) {
  const start = input.selectionStart ?? input.value.length;
  const end = input.selectionEnd ?? start;
  if (input.maxLength > 0 && input.value.length - (end - start) + text.length > input.maxLength) return;
  input.setRangeText(text, start, end, "end");
  changed();
}

function erase() {
  const end = input.selectionEnd ?? input.value.length;
  let start = input.selectionStart ?? end;
  if (start === end && start > 0) start -= 1; // marks are taken off one by one, as a keyboard does
  input.setRangeText("", start, end, "end");
  changed();
}

function changed() {
  input.dispatchEvent(new Event("input", { bubbles: true }));
}
