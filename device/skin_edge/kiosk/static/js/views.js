// Which view is shown. One at a time; the others are hidden from eye, keyboard and screen reader alike.

import { byId } from "./dom.js";
import { _ } from "./i18n.js";

const views = new Map([...document.querySelectorAll("[data-view]")].map((view) => [view.dataset.view, view]));
const hooks = new Map();
let current = null;

// The tab a view belongs to, where it has not its own name.
const TAB = { result: "capture", entry: null, site: "capture", pin: "settings" };

/** Have `enter(argument)` called when a view is shown, and `leave(next)` when it no longer is. */
export function onView(name, { enter = () => {}, leave = () => {} }) {
  hooks.set(name, { enter, leave });
}

export function shown() {
  return current;
}

/** Show a view, with the focus on its title, or on what its `enter` returns. */
export function show(name, argument) {
  const from = current;
  current = name;
  if (from !== null && from !== name) hooks.get(from)?.leave(name);
  for (const [other, view] of views) view.hidden = other !== name;
  const tab = name in TAB ? TAB[name] : name;
  for (const button of document.querySelectorAll(".tabs [data-go]")) {
    if (button.dataset.go === tab) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  const focus = hooks.get(name)?.enter(argument);
  if (current !== name) return; // it sent us elsewhere
  const title = views.get(name).querySelector("h1");
  document.title = `${title?.textContent.trim() || _("Capture")} · skin-edge`;
  (focus ?? title ?? byId("main")).focus({ preventScroll: true });
}

export function enableTabs() {
  for (const button of document.querySelectorAll(".tabs [data-go]")) button.disabled = false;
}
