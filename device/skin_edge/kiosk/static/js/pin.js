// The PIN before the settings: entered, or chosen twice the first time.

import { post } from "./api.js";
import { byId, el, icon } from "./dom.js";
import { _, number } from "./i18n.js";
import { openSettings } from "./settings.js";
import { onView } from "./views.js";
import { failure } from "./words.js";

const input = byId("pin-input");
let choosing = false; // nobody has chosen a PIN on this device yet
let first = null; // the PIN that was chosen, until it is repeated

export function setUpPin() {
  const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => padKey(String(digit), number(digit)));
  byId("pin-pad").append(
    ...digits,
    el("button", { type: "button", "aria-label": _("Clear"), onclick: () => { input.value = ""; } }, icon("close")),
    padKey("0", number(0)),
    el("button", { type: "button", "aria-label": _("Delete"), onclick: () => { input.value = input.value.slice(0, -1); } }, icon("erase")),
  );
  input.addEventListener("input", () => { input.value = input.value.replace(/\D/g, ""); });
  byId("pin-form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  onView("pin", {
    enter(argument) {
      choosing = argument.choose;
      first = null;
      input.value = "";
      byId("pin-error").textContent = "";
      words();
      return input;
    },
  });
}

function padKey(digit, name) {
  return el("button", {
    type: "button", "data-digit": digit,
    onpointerdown: (event) => event.preventDefault(),
    onclick: () => { if (input.value.length < input.maxLength) input.value += digit; },
  }, name);
}

function words() {
  byId("pin-label").textContent = !choosing ? _("PIN") : first === null ? _("Choose a PIN") : _("Repeat the PIN");
  byId("pin-help").textContent = !choosing
    ? _("The settings are for those who look after this device.")
    : _("Nobody has chosen a PIN yet. 4 to 12 digits; without it, the settings stay shut.");
  byId("pin-done-text").textContent = !choosing ? _("Unlock") : first === null ? _("Next") : _("Set the PIN");
}

async function submit() {
  const pin = input.value;
  byId("pin-error").textContent = "";
  if (!/^\d{4,12}$/.test(pin)) return fail({ code: "pin-form" });
  if (choosing && first === null) {
    first = pin;
    input.value = "";
    words();
    input.focus();
    return undefined;
  }
  try {
    await post("/api/unlock", first === null ? { pin } : { pin: first, repeat: pin });
    openSettings();
  } catch (error) {
    fail(error);
  }
  return undefined;
}

function fail(error) {
  first = null;
  input.value = "";
  words();
  byId("pin-error").textContent = failure(error);
  input.focus();
}
