// The live picture. A stream that breaks is asked for again, each time after a longer wait.

import { byId, fit } from "./dom.js";

const BACKOFF_S = [0.5, 1, 2, 4, 8];

const picture = byId("preview");
const frame = byId("preview-frame");

let wanted = false;
let tries = 0;
let again = 0;
let sizer = 0;
let number = 0;

export function startPreview() {
  wanted = true;
  connect();
}

/** Let go of the stream: nothing is encoded while nobody looks. */
export function stopPreview() {
  wanted = false;
  clearTimeout(again);
  clearInterval(sizer);
  picture.removeAttribute("src");
}

/** Begin anew where the preview is shown: its stream may hang on a camera or a service that is gone. */
export function renewPreview() {
  if (!wanted) return;
  tries = 0;
  connect();
}

// A page in the background would only cost: a browser has few connections to one server, and each is encoded for.
document.addEventListener("visibilitychange", () => {
  if (!wanted) return;
  if (document.hidden) {
    clearTimeout(again);
    picture.removeAttribute("src");
  } else {
    renewPreview();
  }
});

function connect() {
  clearTimeout(again);
  clearInterval(sizer);
  // Another address each time, or the browser takes up the stream that it has.
  picture.src = `/preview.mjpg?n=${++number}`;
  // A stream never finishes loading: its size is known with its first picture.
  sizer = setInterval(() => {
    if (picture.naturalWidth === 0) return;
    tries = 0;
    fit(frame, picture.naturalWidth, picture.naturalHeight);
  }, 250);
}

picture.addEventListener("error", () => {
  if (!wanted) return;
  clearInterval(sizer);
  again = setTimeout(connect, BACKOFF_S[Math.min(tries++, BACKOFF_S.length - 1)] * 1000);
});
