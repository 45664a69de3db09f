// The view that is on all day: live picture, hints, one large button.

import { post } from "./api.js";
import { announce, byId, setText } from "./dom.js";
import { enterText } from "./entry.js";
import { _ } from "./i18n.js";
import { switchTo } from "./language.js";
import { connected, onState, state } from "./live.js";
import { renewPreview, startPreview, stopPreview } from "./preview.js";
import { onView, show, shown } from "./views.js";
import { setVisit, visit } from "./visit.js";
import { failure, quality } from "./words.js";

const shutter = byId("shutter");
// Where the quality gate begins to refuse, on the service's scale of 0 to 1.
const FOCUS_GOOD = 0.5;

let capturing = false;
let cameraWas = null;
let connectedWas = false;

export function setUpCapture() {
  shutter.addEventListener("click", capture);
  byId("subject-button").addEventListener("click", askSubject);
  byId("site-button").addEventListener("click", () => show("site"));
  onView("capture", {
    enter() {
      startPreview();
      refresh();
      return shutter.disabled ? null : shutter;
    },
    leave() {
      stopPreview();
      byId("capture-error").textContent = "";
    },
  });
  onState(refresh);
}

function askSubject() {
  enterText({
    label: _("Person (pseudonym)"),
    help: _("A study number or a code that only you can trace, for example P-017. Never a name, a date of birth or a telephone number."),
    value: visit.subject ?? "", maxLength: 64, latin: true,
    done: (text) => { setVisit({ subject: text || null }); show("capture"); },
    cancel: () => show("capture"),
  });
}

async function capture() {
  if (capturing) return;
  capturing = true;
  byId("capture-error").textContent = "";
  refresh();
  try {
    const answer = await post("/api/capture", { subject: visit.subject, site: visit.site }, { timeoutS: 60 });
    capturing = false;
    show("result", { record: answer.result, picture: answer.picture, map: answer.map, from: "capture" });
  } catch (error) {
    capturing = false;
    refresh();
    byId("capture-error").textContent = failure(error);
    if (error.code === "csrf") switchTo();
    if (error.code === "consent") show("consent");
    else if (shown() === "capture") shutter.focus({ preventScroll: true });
  }
}

function refresh() {
  const camera = connected ? state?.camera.state ?? "opening" : "away";
  if ((camera === "ok" && cameraWas !== "ok" && cameraWas !== null) || (connected && !connectedWas)) renewPreview();
  if (cameraWas === "ok" && camera === "lost") announce(_("Camera lost"));
  if (cameraWas === "lost" && camera === "ok") announce(_("Camera ready"));
  [cameraWas, connectedWas] = [camera, connected];
  curtain(camera);
  const ready = camera === "ok" && !capturing && !state.busy;
  // Kept in reach while it works: a disabled button would lose the focus.
  shutter.disabled = camera !== "ok";
  shutter.setAttribute("aria-disabled", String(!ready));
  shutter.setAttribute("aria-busy", String(capturing));
  setText(byId("shutter-text"), capturing ? _("Working …") : _("Capture"));
  if (state !== null) hints(camera === "ok");
}

function curtain(camera) {
  const veil = byId("preview-curtain");
  veil.hidden = camera === "ok";
  if (camera === "ok") return;
  const [what, todo] = {
    opening: [_("The camera is starting"), _("This takes a few seconds.")],
    lost: [_("Camera lost"), _("Check its cable. It is tried again by itself; nothing that was saved is lost.")],
    away: state === null
      ? [_("Connecting to the camera"), ""]
      : [_("Connection to the service lost"), _("It is tried again by itself. If this stays for a minute, switch the device off and on.")],
  }[camera];
  setText(byId("curtain-what"), what);
  setText(byId("curtain-todo"), todo);
  // In the service's words, for whoever is called to help.
  setText(byId("curtain-cause"), camera === "lost" ? state.camera.cause ?? "" : "");
}

function hints(live) {
  const hint = byId("hint");
  const poor = state.hints.length > 0;
  const level = poor ? "poor" : "good";
  byId("preview-frame").dataset.ready = live ? level : "unknown";
  hint.dataset.level = live ? level : "unknown";
  hint.querySelector("use").setAttribute("href", poor ? "#i-alert" : "#i-ok");
  setText(byId("hint-text"), !live ? "" : poor ? quality(state.hints[0]) : _("Focus and light are good: lesion in the ring, then capture."));
  const dim = state.hints.includes("too-dark") || state.hints.includes("too-bright");
  meter("focus", live ? state.focus : null, state.focus >= FOCUS_GOOD);
  meter("light", live ? state.light : null, !dim);
}

function meter(name, value, good) {
  const bar = byId(`${name}-bar`);
  const part = value ?? 0;
  bar.dataset.level = good ? "good" : "poor";
  bar.setAttribute("aria-valuenow", String(Math.round(part * 100)));
  bar.setAttribute("aria-valuetext", value === null ? _("unknown") : good ? _("good") : _("not good enough"));
  bar.querySelector(".fill").style.inlineSize = `${part * 100}%`;
}
