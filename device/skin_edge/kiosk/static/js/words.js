// What codes mean, in the language of the page. The service speaks in codes; only here do they become sentences.

import { _, ngettext, percent } from "./i18n.js";

/** What kind of answer a record is: the label, or "refused" for a picture that was not fit to judge. */
export function kindOf(record) {
  return record.quality.ok ? record.label : "refused";
}

export const KIND_ICON = { benign: "ok", malignant: "alert", uncertain: "question", refused: "refused" };

/** The answer in a few words, for a heading. */
export function headline(kind) {
  return {
    benign: _("No suspicion found"),
    malignant: _("Suspicious"),
    uncertain: _("Uncertain"),
    refused: _("Picture refused"),
  }[kind];
}

/** The same in one word, for a list. */
export function tag(kind) {
  return { benign: _("No suspicion"), malignant: _("Suspicious"), uncertain: _("Uncertain"), refused: _("Refused") }[kind];
}

export function labelWord(label) {
  return { benign: _("benign"), malignant: _("malignant"), uncertain: _("uncertain") }[label] ?? label;
}

export function meaning(kind) {
  return {
    benign: _("The model found no sign of malignancy in this picture at this threshold. It misses some cancers."),
    malignant: _("The model sees signs in this picture that are found in skin cancer. Many lesions that it calls suspicious are harmless."),
    uncertain: _("The model cannot decide about this picture, and does not guess:"),
    refused: _("This picture is not fit to be judged, so there is no answer:"),
  }[kind];
}

export function todo(kind) {
  return {
    benign: _("Refer all the same if the lesion is new, changes, itches, bleeds or worries you or the person."),
    malignant: _("Refer the person to a clinician."),
    uncertain: _("Capture it again. If it stays uncertain, refer the person to a clinician."),
    refused: _("Put right what is named above and capture again. If no good picture can be made, refer the person to a clinician."),
  }[kind];
}

/** What a calibrated probability says, as a sentence about a hundred lesions. */
export function inWords(p) {
  const n = Math.round(p * 100);
  if (n < 1) return _("Of 100 lesions rated like this when the model was measured, fewer than 1 was malignant. On your patients it can differ.");
  if (n > 99) return _("Of 100 lesions rated like this when the model was measured, more than 99 were malignant. On your patients it can differ.");
  return ngettext(
    "Of 100 lesions rated like this when the model was measured, about {n} was malignant. On your patients it can differ.",
    "Of 100 lesions rated like this when the model was measured, about {n} were malignant. On your patients it can differ.",
    n,
  );
}

export function scaleText(record) {
  const [low, high] = record.abstain_band;
  return _("Suspicious from {threshold} on ({point}); uncertain from {low} to {high}.", {
    threshold: percent(record.threshold), point: record.operating_point, low: percent(low), high: percent(high),
  });
}

/** Why an answer is "uncertain". */
export function reason(code) {
  return {
    "near-threshold": _("The probability lies in the range in which the model is often wrong."),
    "frames-disagree": _("The pictures of this capture contradict each other. Hold the camera still on the lesion."),
    "poor-quality": _("The picture is not fit to be judged."),
  }[code] ?? code;
}

/** Why a picture was refused, and what to do. */
export function quality(code) {
  return {
    "too-small": _("Too few pixels: use a higher resolution, or do not crop so tightly."),
    "too-dark": _("Too dark: add light, and uncover the lens."),
    "too-bright": _("Too bright: dim the light, or move the lamp away."),
    "glare": _("A reflection hides a part: tilt the lamp, or use gel or contact."),
    "out-of-focus": _("Out of focus: clean the lens and focus again."),
    "motion": _("Smeared by motion: hold camera and skin still, or add light."),
    "no-lesion": _("No lesion in view: put it into the ring."),
    "not-skin": _("This does not look like skin under a dermatoscope: point the camera at the lesion."),
  }[code] ?? code;
}

/** What went wrong, for a person; what has no words of its own is told as the service tells it. */
export function failure(error) {
  const known = {
    "offline": _("The service does not answer. Wait for it to come back, and look into the history before you try again."),
    "slow": _("The service took too long. Look into the history before you capture again."),
    "busy": _("A capture is under way already. Wait for its result."),
    "consent": _("The conditions of use have not been accepted yet."),
    "csrf": _("This page is out of date and is loaded again."),
    "origin": _("This page was opened under an address that is not allowed."),
    "host": _("This page was opened under an address that is not allowed."),
    "pin-wrong": _("This PIN is wrong."),
    "pin-repeat": _("The two PINs differ. Choose again."),
    "pin-form": _("A PIN has 4 to 12 digits."),
    "locked": _("The settings are locked again. Enter the PIN."),
    "no-such-result": _("This result no longer exists."),
    "starting": _("The model is being loaded. Try again in a moment."),
    "stopping": _("The service is being stopped or restarted. Try again in a moment."),
    "clients": _("Too many pages are open on this device. Close one."),
  }[error.code];
  if (known) return known;
  if (error.code === "pin-wait") {
    const n = Math.max(1, Math.ceil(error.retryAfterS ?? 1));
    return ngettext("Too many tries. Try again in {n} second.", "Too many tries. Try again in {n} seconds.", n);
  }
  if (error.code.startsWith("camera")) return _("The camera gave no picture. Check its cable; it is tried again by itself.");
  if (error.code.startsWith("storage")) return _("The result could not be saved, so it is not shown. The disk may be full or broken: call for support.");
  if (error.code.startsWith("image")) return _("The camera's picture could not be used. Capture again.");
  if (error.code.startsWith("model") || error.code === "bundle") return _("The model failed. Call for support.");
  return _("That did not work: {message}", { message: error.message });
}
