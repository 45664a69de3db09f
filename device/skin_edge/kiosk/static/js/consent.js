// The conditions of use, accepted once on each device before the first capture.

import { post } from "./api.js";
import { byId } from "./dom.js";
import { _ } from "./i18n.js";
import { enableTabs, show } from "./views.js";
import { failure } from "./words.js";

export function setUpConsent() {
  const form = byId("consent-form");
  form.noValidate = true; // the browser's own bubble is in the browser's language
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const told = byId("consent-error");
    told.textContent = "";
    if (!byId("consent-check").checked) {
      told.textContent = _("Please confirm that you have read this.");
      byId("consent-check").focus();
      return;
    }
    try {
      await post("/api/consent", { accepted: true });
    } catch (error) {
      told.textContent = failure(error);
      return;
    }
    enableTabs();
    show("capture");
  });
}
