// What was decided before: search, pages, export.

import { get } from "./api.js";
import { byId, el, icon } from "./dom.js";
import { enterText } from "./entry.js";
import { _, dateTime, ngettext, number, percent } from "./i18n.js";
import { siteName } from "./sites.js";
import { onView, show } from "./views.js";
import { failure, KIND_ICON, kindOf, tag } from "./words.js";

const PAGE = 20;

const query = byId("history-q");
let offset = 0;
let total = 0;
let asked = 0;

export function setUpHistory() {
  byId("history-form").addEventListener("submit", (event) => { event.preventDefault(); search(query.value); });
  let typing = 0;
  query.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => search(query.value), 300); });
  byId("history-keyboard").addEventListener("click", () => enterText({
    label: _("Search"), help: _("A part of the person's pseudonym, of the site, of the result or of its id."),
    value: query.value, latin: true,
    done: (text) => { query.value = text; show("history"); }, cancel: () => show("history", { keep: true }),
  }));
  byId("history-newer").addEventListener("click", () => turn(-PAGE));
  byId("history-older").addEventListener("click", () => turn(PAGE));
  onView("history", {
    enter(argument) {
      if (!argument?.keep) offset = 0;
      load();
    },
  });
}

function search() {
  offset = 0;
  load();
}

function turn(by) {
  offset = Math.max(0, offset + by);
  load().then(() => byId("history-rows").querySelector("button")?.focus());
}

async function load() {
  const mine = ++asked;
  const q = query.value.trim();
  for (const link of document.querySelectorAll(".exports a")) {
    link.href = `/api/export?${new URLSearchParams({ format: link.dataset.format, q })}`;
    link.setAttribute("aria-label", _("Export as {format}", { format: link.textContent }));
  }
  try {
    const found = await get(`/api/results?${new URLSearchParams({ q, offset, limit: PAGE })}`);
    if (mine !== asked) return; // a later search was faster
    total = found.total;
    byId("history-error").textContent = "";
    draw(found.results, q);
  } catch (error) {
    if (mine === asked) byId("history-error").textContent = failure(error);
  }
}

function draw(records, q) {
  byId("history-rows").replaceChildren(...records.map(row));
  byId("history-empty").hidden = records.length > 0;
  byId("history-empty").textContent = q ? _("Nothing fits this search.") : _("No results yet.");
  byId("history-newer").disabled = offset === 0;
  byId("history-older").disabled = offset + records.length >= total;
  const range = _("{first} to {last}", { first: number(offset + 1), last: number(offset + records.length) });
  const count = ngettext("{n} result", "{n} results", total);
  byId("history-range").textContent = records.length === 0 ? "" : `${range} · ${count}`;
  document.querySelector(".rows").scrollTop = 0;
}

function row(record) {
  const kind = kindOf(record);
  return el("li", {}, el("button", { type: "button", class: "row", onclick: () => open(record.result_id) },
    el("time", { datetime: record.created_at }, dateTime(record.created_at)), " ",
    cell("subject", record, record.subject, "subject"), " ",
    cell("place", record, record.site === null ? null : siteName(record.site), "site"), " ",
    el("span", { class: "tag", "data-kind": kind }, icon(KIND_ICON[kind]), tag(kind)), " ",
    el("span", { class: "odds" }, kind === "refused" ? "–" : percent(record.probability)),
  ));
}

function cell(name, record, value, field) {
  if (record.encrypted.includes(field)) return el("span", { class: `${name} none` }, _("encrypted"));
  return el("span", { class: value === null ? `${name} none` : name, dir: "auto" }, value ?? _("not given"));
}

async function open(id) {
  try {
    const record = await get(`/api/results/${encodeURIComponent(id)}`);
    show("result", { record, picture: `/api/pictures/${id}.jpg`, map: `/api/pictures/${id}.map.png`, from: "history" });
  } catch (error) {
    byId("history-error").textContent = failure(error);
  }
}
