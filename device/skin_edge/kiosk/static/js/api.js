// Requests to the service on this machine.

const token = document.querySelector('meta[name="csrf-token"]').content;

/** What the service refused, or that it did not answer (code "offline"). */
export class ApiError extends Error {
  constructor(code, message, { status = 0, field = null, retryAfterS = null } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.field = field;
    this.retryAfterS = retryAfterS;
  }
}

/** `signal` gives the request up; it ends as an ApiError "offline" then, which nobody waits for. */
export function get(path, { signal } = {}) {
  return request(path, { method: "GET", signal });
}

export function post(path, body, { timeoutS = 15 } = {}) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": token };
  return request(path, { method: "POST", headers, body: JSON.stringify(body) }, timeoutS);
}

async function request(path, options, timeoutS = 15) {
  let response;
  let answer;
  try {
    response = await fetch(path, {
      ...options, credentials: "same-origin", cache: "no-store",
      signal: AbortSignal.any([AbortSignal.timeout(timeoutS * 1000), ...(options.signal ? [options.signal] : [])]),
    });
    answer = response.status === 204 ? null : await response.json();
  } catch (error) {
    if (error instanceof SyntaxError) throw new ApiError("unexpected", `HTTP ${response.status}`, { status: response.status });
    const slow = error.name === "TimeoutError";
    throw new ApiError(slow ? "slow" : "offline", String(error.message));
  }
  if (response.ok) return answer;
  const told = answer?.error ?? {};
  const wait = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  throw new ApiError(told.code ?? "unexpected", told.message ?? `HTTP ${response.status}`, {
    status: response.status, field: told.field ?? null, retryAfterS: Number.isFinite(wait) ? wait : null,
  });
}
