// Puts the page together.

import { setUpCapture } from "./capture.js";
import { setUpConsent } from "./consent.js";
import { cancelEntry, setUpEntry } from "./entry.js";
import { setUpHistory } from "./history.js";
import { setUpLanguage, takeUp } from "./language.js";
import { onState, start } from "./live.js";
import { setUpPin } from "./pin.js";
import { setUpResult } from "./result.js";
import { setUpSettings } from "./settings.js";
import { setUpSite } from "./site.js";
import { showStatus } from "./status.js";
import { enableTabs, show, shown } from "./views.js";
import { setVisit } from "./visit.js";

setUpConsent();
setUpCapture();
setUpResult();
setUpEntry();
setUpSite();
setUpHistory();
setUpPin();
setUpSettings();
setUpLanguage();
onState(showStatus);

for (const tab of document.querySelectorAll(".tabs [data-go]")) {
  tab.addEventListener("click", () => { if (tab.dataset.go !== shown()) show(tab.dataset.go); });
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("#language-menu:popover-open")) return;
  const back = { entry: cancelEntry, site: () => show("capture"), result: () => show("capture"), pin: () => show("capture") };
  back[shown()]?.();
});
// A long press on a touch screen must not open the browser's menu.
document.addEventListener("contextmenu", (event) => event.preventDefault());

const before = takeUp();
setVisit(before?.visit ?? {});
if (document.body.dataset.consent === "given") {
  enableTabs();
  if (before?.view === "result" && before.result) show("result", before.result);
  else show(["history", "settings"].includes(before?.view) ? before.view : "capture");
} else {
  show("consent");
}
start();
