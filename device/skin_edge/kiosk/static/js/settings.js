// The settings that a kiosk may change, drawn from what the service says of them.

import { get, post } from "./api.js";
import { byId, el } from "./dom.js";
import { enterText } from "./entry.js";
import { _, number } from "./i18n.js";
import { state } from "./live.js";
import { onView, show } from "./views.js";
import { failure } from "./words.js";

const form = byId("settings-form");
let fields = [];

const NAMES = {
  operating_point: [_("Operating point"), _("How sensitive the answer is. A higher sensitivity finds more cancers and refers more harmless lesions.")],
  save_images: [_("Keep pictures"), _("Every judged picture is kept on this device. Only with the person's consent.")],
  language: [_("Language at the start"), _("What a new page is shown in; anybody may switch it on the screen.")],
  preview_fps: [_("Live pictures a second"), _("Fewer leave more of a small device for everything else.")],
  burst: [_("Pictures for one capture"), _("The best of them must agree. Empty: what fits the camera.")],
  image_retention_days: [_("Days that pictures are kept"), _("Older pictures are deleted for good; their results stay. Empty: as long as the results.")],
  retention_days: [_("Days that results are kept"), _("Older results and their pictures are deleted for good. Empty: never.")],
};

export function setUpSettings() {
  form.noValidate = true; // the browser's own bubble is in the browser's language
  form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
  byId("settings-lock").addEventListener("click", () => show("capture"));
  onView("settings", {
    enter(argument) {
      if (argument?.back) return null; // from typing a number: what was changed is still in the form
      say("", "");
      // Asked only where it is known to be open: a refusal is noise in a browser's log.
      if (state?.locked !== false && !unlocked) return show("pin", { choose: state?.pin_set === false });
      load();
      return undefined;
    },
    leave: (next) => { if (next !== "entry") close(next); },
  });
}

let leaving = false;
let unlocked = false; // by the PIN a moment ago; the state may not have told yet

/** Show the settings: the PIN was right. */
export function openSettings() {
  unlocked = true;
  show("settings");
}

// Whoever comes next must not find them open. What is still being asked for would be refused once they are locked.
function close(next) {
  unlocked = false;
  loading?.abort();
  if (next !== "pin" && !leaving) post("/api/lock", {}).catch(() => {});
}

/** The page is about to be loaded again in another language: leave the settings open. */
export function keepOpen() {
  leaving = true;
}

function say(error, saved) {
  byId("settings-error").textContent = error;
  byId("settings-saved").textContent = saved;
}

let loading = null;

async function load() {
  const mine = loading = new AbortController();
  try {
    draw(await get("/api/settings", { signal: mine.signal }));
  } catch (error) {
    if (!mine.signal.aborted) refused(error);
  }
}

function refused(error) {
  unlocked = false;
  if (error.code === "locked" || error.code === "pin-unset") show("pin", { choose: error.code === "pin-unset" });
  else say(failure(error), "");
}

function draw({ schema, values, problem }) {
  if (problem) say(_("The settings that were kept could not be used: {message}", { message: problem }), "");
  fields = schema.map((field) => ({ ...field, value: values[field.name] ?? null }))
    .map((setting) => ({ setting, ...control(setting) }));
  form.replaceChildren(...fields.map(({ setting, element, input }) => {
    const [name, help] = NAMES[setting.name] ?? [setting.name, ""];
    const helpId = `help-${setting.name}`;
    input.id = `setting-${setting.name}`;
    input.setAttribute("aria-describedby", helpId);
    return el("div", { class: "setting" },
      el("label", { for: input.id }, name),
      el("p", { class: "help", id: helpId }, help, " ", setting.restart ? _("Takes effect after a restart of the service.") : ""),
      element,
      el("p", { class: "error", id: `error-${setting.name}` }));
  }));
}

/** An input for a setting, and how to read it. */
function control(setting) {
  if (setting.type === "boolean") {
    const input = el("input", { type: "checkbox" });
    input.checked = Boolean(setting.value);
    return { input, element: el("div", { class: "control" }, input), read: () => input.checked };
  }
  if (setting.type === "choice") {
    const choices = setting.null ? [null, ...setting.choices] : setting.choices;
    const input = el("select", {}, ...choices.map((choice) => el("option", { value: choice ?? "" }, choiceName(choice, setting.default))));
    input.value = setting.value ?? "";
    const read = () => choices[input.selectedIndex];
    return { input, element: el("div", { class: "control" }, input), read };
  }
  return numeric(setting);
}

function choiceName(choice, standard) {
  if (choice === null) return standard ? _("standard ({name})", { name: standard }) : _("standard");
  return byLanguage(choice) ?? String(choice);
}

function byLanguage(code) {
  return document.querySelector(`#language-menu [data-lang="${CSS.escape(String(code))}"]`)?.textContent;
}

function numeric(setting) {
  const step = setting.type === "integer" ? 1 : "any";
  const input = el("input", { type: "number", min: setting.min ?? null, max: setting.max ?? null, step, inputmode: "none", required: !setting.null });
  input.value = setting.value ?? "";
  const shift = (by) => {
    const now = input.value === "" ? (setting.min ?? 0) - (by > 0 ? by : 0) : Number(input.value);
    const next = Math.min(setting.max ?? Infinity, Math.max(setting.min ?? -Infinity, now + by));
    input.value = setting.null && input.value !== "" && now + by < (setting.min ?? -Infinity) ? "" : String(next);
  };
  const [name, help] = NAMES[setting.name] ?? [setting.name, ""];
  // A finger has no keyboard, and a hundred days are a hundred presses. At the click, not before: one that
  // came after the views have changed would press a key.
  input.addEventListener("click", (event) => {
    if (event.pointerType !== "touch") return;
    const back = () => show("settings", { back: true });
    enterText({
      label: name, help, value: input.value, maxLength: 8, digits: true, cancel: back,
      done: (text) => { input.value = text; back(); },
      left: (next) => { if (next !== "settings") close(next); },
    });
  });
  const element = el("div", { class: "control" },
    el("button", { type: "button", class: "secondary square", "aria-label": _("{name}: less", { name }), onclick: () => shift(-1) }, "−"),
    input,
    el("button", { type: "button", class: "secondary square", "aria-label": _("{name}: more", { name }), onclick: () => shift(1) }, "+"));
  return { input, element, read: () => (input.value === "" ? null : Number(input.value)) };
}

async function save() {
  say("", "");
  for (const { setting, input } of fields) {
    input.removeAttribute("aria-invalid");
    byId(`error-${setting.name}`).textContent = "";
  }
  const changed = fields.filter(({ setting, read }) => read() !== setting.value);
  if (changed.length === 0) return say("", _("Nothing was changed."));
  try {
    const answer = await post("/api/settings", Object.fromEntries(changed.map(({ setting, read }) => [setting.name, read()])));
    draw(answer);
    say("", answer.restart_needed ? _("Saved. Restart the service for it to take effect.") : _("Saved."));
  } catch (error) {
    const field = fields.find(({ setting }) => setting.name === error.field || (error.code === "settings" && error.message.startsWith(setting.name)));
    if (!field) return refused(error);
    field.input.setAttribute("aria-invalid", "true");
    const { min, max } = field.setting;
    byId(`error-${field.setting.name}`).textContent = Number.isFinite(min) && Number.isFinite(max)
      ? _("Between {min} and {max}.", { min: number(min), max: number(max) }) : failure(error);
    field.input.focus();
  }
  return undefined;
}
