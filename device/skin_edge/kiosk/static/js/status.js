// The status bar, and a banner for what somebody has to look after.

import { byId, el, icon, setText } from "./dom.js";
import { _, isolated, number, time } from "./i18n.js";

/** Show a state; `connected` is false where it is the last one known. */
export function showStatus(state, connected) {
  if (state !== null) {
    cameraLine(state.camera, connected);
    temperatureLine(state.machine);
    if (state.disk.free_mb !== null) line("disk", state.disk.low ? "warn" : "ok", _("{gb} GB free", { gb: gigabytes(state.disk.free_mb) }));
    if (state.model !== null) line("model", "ok", `${state.model.name} ${state.model.version}`);
    line("clock", state.clock.ok ? "ok" : "warn", state.clock.ok ? time(state.clock.utc) : _("Clock not set"));
  }
  banners(connected ? troubles(state) : [["bad", "plug", _("Connection to the service lost. It is tried again by itself.")]]);
}

function gigabytes(mb) {
  return number(mb / 1000, mb < 10_000 ? 1 : 0);
}

function cameraLine(camera, connected) {
  if (!connected) return line("camera", "bad", _("Not connected"));
  const words = { ok: _("Camera ready"), opening: _("Camera starting"), lost: _("Camera lost") };
  const levels = { ok: "ok", opening: "warn", lost: "bad" };
  return line("camera", levels[camera.state], words[camera.state], camera.name);
}

function temperatureLine(machine) {
  if (machine.temperature_c === null) {
    byId("status-temperature").hidden = true;
    return;
  }
  line("temperature", machine.throttled ? "warn" : "ok", isolated(`${number(machine.temperature_c)} °C`));
}

function line(name, level, text, title = "") {
  const item = byId(`status-${name}`);
  item.hidden = false;
  item.dataset.level = level;
  item.title = title;
  setText(item.querySelector("span"), text);
}

/** What is wrong, the worst first: level, icon, words. */
function troubles(state) {
  const found = [];
  if (state.disk.low) found.push(["warn", "disk", _("The disk is nearly full: export and delete old results, or call for support.")]);
  if (state.machine.under_voltage) found.push(["warn", "alert", _("The power supply is too weak: use the one made for this device.")]);
  if (state.machine.throttled) found.push(["warn", "thermo", _("The device is slowed down by heat or weak power: let it cool, and keep its vents free.")]);
  if (!state.clock.ok) found.push(["warn", "clock", _("The clock is not set: dates of results may be wrong.")]);
  return found;
}

let last = "";

function banners(found) {
  // Only at a change: it is read out each time.
  const key = JSON.stringify(found);
  if (key === last) return;
  last = key;
  byId("banners").replaceChildren(
    ...found.map(([level, name, text]) => el("p", { class: "banner", "data-level": level }, icon(name), el("span", {}, text))),
  );
}
