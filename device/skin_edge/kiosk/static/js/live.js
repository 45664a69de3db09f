// The state of the service, as it comes: server-sent events, and what to do when they stop.

const BACKOFF_S = [0.5, 1, 2, 4, 8];
// The service speaks every 5 s at least; what is silent for longer is gone.
const SILENT_S = 12;

const listeners = [];
let source = null;
let tries = 0;
let watchdog = 0;
let again = 0;

export let state = null;
export let connected = false;

/** Have `listener(state, connected)` called at every change. */
export function onState(listener) {
  listeners.push(listener);
  if (state !== null) listener(state, connected);
}

export function start() {
  clearTimeout(again);
  source?.close();
  source = new EventSource("/api/events");
  source.addEventListener("state", (event) => {
    state = JSON.parse(event.data);
    tries = 0;
    alive();
    tell(true);
  });
  // The browser's own reconnecting gives up at an answer such as 503, and waits as long as it likes.
  source.addEventListener("error", lost);
  alive();
}

function alive() {
  clearTimeout(watchdog);
  watchdog = setTimeout(lost, SILENT_S * 1000);
}

function lost() {
  source?.close();
  source = null;
  clearTimeout(watchdog);
  clearTimeout(again);
  tell(false);
  again = setTimeout(start, BACKOFF_S[Math.min(tries++, BACKOFF_S.length - 1)] * 1000);
}

function tell(now) {
  connected = now;
  for (const listener of listeners) listener(state, connected);
}
