// Body sites: as they are logged, in English as the command line writes them, and as they are shown.

import { _ } from "./i18n.js";

/** The sites that can be chosen, from head to foot. */
export const SITES = [
  ["scalp", _("scalp")],
  ["forehead", _("forehead")],
  ["face", _("face")],
  ["ear", _("ear")],
  ["neck", _("neck")],
  ["shoulder", _("shoulder")],
  ["upper arm", _("upper arm")],
  ["forearm", _("forearm")],
  ["hand", _("hand")],
  ["chest", _("chest")],
  ["abdomen", _("abdomen")],
  ["upper back", _("upper back")],
  ["lower back", _("lower back")],
  ["buttock", _("buttock")],
  ["genital area", _("genital area")],
  ["thigh", _("thigh")],
  ["knee", _("knee")],
  ["lower leg", _("lower leg")],
  ["foot", _("foot")],
];

export const SIDES = [
  ["left", _("Left")],
  ["", _("No side")],
  ["right", _("Right")],
];

const names = new Map(SITES);

/** Side and site of a logged text; null where it is none of `SITES`. */
export function parse(text) {
  const [first, ...rest] = text.split(" ");
  const sided = first === "left" || first === "right";
  const site = sided ? rest.join(" ") : text;
  return names.has(site) ? { side: sided ? first : "", site } : null;
}

export function compose(side, site) {
  return side ? `${side} ${site}` : site;
}

/** A logged site as it is shown: translated where it is one of `SITES`, else as it was typed. */
export function siteName(text) {
  const known = parse(text);
  if (known === null) return text;
  const site = names.get(known.site);
  if (known.side === "left") return _("{site}, left", { site });
  if (known.side === "right") return _("{site}, right", { site });
  return site;
}
