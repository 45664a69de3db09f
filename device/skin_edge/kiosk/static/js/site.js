// The body-site picker: buttons with names, and a figure to tap on.

import { byId, el } from "./dom.js";
import { _ } from "./i18n.js";
import { compose, parse, SIDES, SITES } from "./sites.js";
import { enterText } from "./entry.js";
import { setVisit, visit } from "./visit.js";
import { onView, show } from "./views.js";

let chosen = { side: "", site: null };

export function setUpSite() {
  byId("sides").append(...SIDES.map(([side, name]) =>
    el("button", { type: "button", class: "choice", "data-side": side, onclick: () => choose({ side }) }, name)));
  byId("sites").append(
    ...SITES.map(([site, name]) =>
      el("button", { type: "button", class: "choice", "data-site": site, onclick: () => choose({ site }) }, name)),
    el("button", { type: "button", class: "choice", id: "site-other", onclick: other }, _("Other …")),
    el("button", { type: "button", class: "choice", id: "site-none", onclick: () => done(null) }, _("Not given")),
  );
  byId("figure").addEventListener("click", (event) => {
    const part = event.target.closest("[data-site]");
    if (part) choose({ site: part.dataset.site, side: part.dataset.side ?? chosen.side });
  });
  byId("site-done").addEventListener("click", () => done(chosen.site === null ? visit.site : compose(chosen.side, chosen.site)));
  byId("site-cancel").addEventListener("click", () => show("capture"));
  onView("site", {
    enter() {
      choose(visit.site === null ? { side: "", site: null } : parse(visit.site) ?? { side: "", site: null });
    },
  });
}

function choose(changes) {
  chosen = { ...chosen, ...changes };
  for (const button of document.querySelectorAll("#sides .choice")) press(button, button.dataset.side === chosen.side);
  for (const button of document.querySelectorAll("#sites .choice[data-site]")) press(button, button.dataset.site === chosen.site);
  for (const part of byId("figure").querySelectorAll("[data-site]")) {
    const side = part.dataset.side;
    part.classList.toggle("on", part.dataset.site === chosen.site && (!side || !chosen.side || side === chosen.side));
  }
}

function press(button, on) {
  button.setAttribute("aria-pressed", String(on));
}

function done(site) {
  setVisit({ site });
  show("capture");
}

function other() {
  enterText({
    label: _("Body site"), help: _("Where on the body, in your own words. Never a name of a person."),
    value: visit.site !== null && parse(visit.site) === null ? visit.site : "", maxLength: 80,
    done: (text) => done(text || null), cancel: () => show("site"),
  });
}

