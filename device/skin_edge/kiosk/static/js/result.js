// One decision: what it is, how sure, what to do; and where the model looked.

import { announce, byId, el, fit } from "./dom.js";
import { _, dateTime, number, percent } from "./i18n.js";
import { siteName } from "./sites.js";
import { onView, show } from "./views.js";
import { setVisit } from "./visit.js";
import { headline, inWords, KIND_ICON, kindOf, labelWord, meaning, quality, reason, scaleText, todo } from "./words.js";

const picture = byId("result-picture");
const map = byId("result-map");
const fade = byId("fade");

let shownResult = null;

/** What the view shows now, so that it can be shown again after a change of language. */
export function currentResult() {
  return shownResult;
}

export function setUpResult() {
  fade.addEventListener("input", applyFade);
  picture.addEventListener("load", () => fit(byId("result-frame"), picture.naturalWidth, picture.naturalHeight));
  picture.addEventListener("error", () => withoutPicture());
  byId("result-again").addEventListener("click", () => show("capture"));
  byId("result-new").addEventListener("click", () => { setVisit({ subject: null, site: null }); show("capture"); });
  byId("result-back").addEventListener("click", () => show("history", { keep: true }));
  onView("result", { enter, leave: () => { shownResult = null; } });
}

function enter(result) {
  shownResult = result;
  const { record, from } = result;
  const kind = kindOf(record);
  byId("verdict").dataset.kind = kind;
  byId("verdict-icon").setAttribute("href", `#i-${KIND_ICON[kind]}`);
  byId("result-title").textContent = headline(kind);
  byId("result-label").textContent = kind === "refused"
    ? _("No label: the picture was not judged") : _("Label of the model: {label}", { label: labelWord(record.label) });
  byId("odds").hidden = kind === "refused";
  if (kind !== "refused") odds(record);
  byId("result-meaning").textContent = meaning(kind);
  byId("result-why").replaceChildren(...why(record, kind).map((text) => el("li", {}, text)));
  byId("result-todo").textContent = todo(kind);
  details(record);
  pictures(result, kind);
  byId("result-back").hidden = from !== "history";
  byId("result-again").hidden = from === "history";
  byId("result-new").hidden = from === "history";
  document.querySelector(".result .scroll").scrollTop = 0;
  const found = kind === "refused" ? why(record, kind).join(" ") : percent(record.probability);
  const aid = _("Triage and research aid, not a diagnosis: a clinician decides.");
  announce([headline(kind), found, todo(kind), aid].join(". "));
}

function odds(record) {
  byId("odds-figure").textContent = percent(record.probability);
  byId("scale-text").textContent = `${inWords(record.probability)} ${scaleText(record)}`;
  const [low, high] = record.abstain_band;
  set("scale-fill", { width: Math.max(8, record.probability * 1000) });
  set("scale-band", { x: low * 1000, width: Math.max(0, high - low) * 1000 });
  set("scale-mark", { x: record.threshold * 1000 - 3 });
}

function set(id, attributes) {
  for (const [name, value] of Object.entries(attributes)) byId(id).setAttribute(name, String(value));
}

function why(record, kind) {
  if (kind === "refused") return record.quality.reasons.map(quality);
  return record.reasons.map(reason);
}

function pictures({ picture: at, map: mapAt }, kind) {
  const curtain = byId("result-curtain");
  curtain.hidden = true;
  const mapped = Boolean(mapAt) && kind !== "refused";
  byId("fader").hidden = !mapped;
  map.hidden = !mapped;
  if (mapped) map.src = mapAt;
  else map.removeAttribute("src");
  applyFade();
  picture.hidden = !at;
  if (at) picture.src = at;
  else withoutPicture();
}

function withoutPicture() {
  picture.removeAttribute("src");
  picture.hidden = true;
  map.hidden = true;
  byId("fader").hidden = true;
  byId("result-curtain").hidden = false;
}

function applyFade() {
  map.style.opacity = String(fade.value / 100);
  fade.setAttribute("aria-valuetext", percentOf(fade.value));
}

function percentOf(value) {
  return `${number(Number(value))} %`;
}

function details(record) {
  const hidden = (name, value) => (record.encrypted.includes(name) ? _("encrypted") : value ?? _("not given"));
  const lines = [
    [_("Taken"), dateTime(record.created_at)],
    [_("Person (pseudonym)"), hidden("subject", record.subject)],
    [_("Body site"), hidden("site", record.site === null ? null : siteName(record.site))],
    [_("Model"), `${record.model.name} ${record.model.version}`],
    [_("Operating point"), `${record.operating_point} (${percent(record.threshold)})`],
    [_("Refer"), record.refer ? _("yes") : _("no")],
    [_("Saved as"), record.result_id ?? _("not saved")],
  ];
  if (record.burst) lines.push([_("Pictures"), _("{used} used of {taken}", { used: number(record.burst.used), taken: number(record.burst.taken) })]);
  lines.push([_("Time"), _("{ms} ms", { ms: number(record.timing_ms.total, 1) })], ["skin-edge", record.skin_edge_version]);
  byId("result-details").replaceChildren(
    ...lines.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { dir: "auto" }, value)]),
  );
}
