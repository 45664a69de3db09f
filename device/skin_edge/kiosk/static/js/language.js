// Another language: the page is loaded anew in it, and goes on where it was.

import { currentResult } from "./result.js";
import { keepOpen } from "./settings.js";
import { shown } from "./views.js";
import { visit } from "./visit.js";

const KEY = "skin-edge-goes-on";

export function setUpLanguage() {
  for (const button of document.querySelectorAll("#language-menu [data-lang]")) {
    button.addEventListener("click", () => switchTo(button.dataset.lang));
  }
}

/** Load the page anew, in its own language or another, and go on with who is in front of the camera. */
export function switchTo(code = document.documentElement.lang) {
  keepOpen();
  sessionStorage.setItem(KEY, JSON.stringify({ view: shown(), visit, result: currentResult() }));
  location.replace(`/?${new URLSearchParams({ lang: code })}`);
}

/** What the page showed before it was loaded in another language; null where it was not. */
export function takeUp() {
  const kept = sessionStorage.getItem(KEY);
  // Taken once: a pseudonym does not stay in the browser.
  sessionStorage.removeItem(KEY);
  return kept === null ? null : JSON.parse(kept);
}
