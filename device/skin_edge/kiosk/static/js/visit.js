// Who is in front of the camera: a pseudonym and a body site, kept in this page only, until the next person.

import { byId, setText } from "./dom.js";
import { _ } from "./i18n.js";
import { siteName } from "./sites.js";

export const visit = { subject: null, site: null };

export function setVisit(changes) {
  Object.assign(visit, changes);
  put("subject-value", visit.subject);
  put("site-value", visit.site === null ? null : siteName(visit.site));
}

function put(id, value) {
  const element = byId(id);
  element.dataset.empty = String(value === null);
  setText(element, value ?? _("not given"));
}
