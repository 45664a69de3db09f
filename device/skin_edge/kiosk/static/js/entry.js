// One line of text, typed on the page's own keyboard or a real one: a pseudonym, a site, a search.

import { byId } from "./dom.js";
import { keyboardFor } from "./keyboard.js";
import { onView, show } from "./views.js";

let asked = null;

/** Ask for a text: `done(text)` or `cancel()` is called, and shows what comes next; `left(next)`, whatever comes next. */
export function enterText(request) {
  asked = request;
  show("entry");
}

export function setUpEntry() {
  const input = byId("entry-input");
  onView("entry", {
    enter() {
      byId("entry-label").textContent = asked.label;
      byId("entry-help").textContent = asked.help;
      input.value = asked.value ?? "";
      input.maxLength = asked.maxLength ?? 80;
      keyboardFor(input, { latin: asked.latin ?? false, digits: asked.digits ?? false });
      input.setSelectionRange(input.value.length, input.value.length);
      return input;
    },
    leave: (next) => asked.left?.(next),
  });
  byId("entry-form").addEventListener("submit", (event) => {
    event.preventDefault();
    asked.done(input.value.trim().replace(/\s+/g, " "));
  });
  byId("entry-cancel").addEventListener("click", () => asked.cancel());
}

export function cancelEntry() {
  asked?.cancel();
}
