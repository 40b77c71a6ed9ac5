// What every page does: keep the screen awake where it should be, and the shell at hand without a link.

import { t, told } from "/static/words.js";

if ("serviceWorker" in navigator && isSecureContext) {
  navigator.serviceWorker.register("/sw.js").catch(() => {}); // without it the pages work, only not offline
}

let lock = null;

/** Keep the screen on while this page is seen (needs a secure origin; else the tablet's own setting counts). */
export async function stayAwake() {
  if (!navigator.wakeLock || document.visibilityState !== "visible") return;
  try {
    lock = await navigator.wakeLock.request("screen");
  } catch {
    lock = null; // low battery: the tablet decides
  }
}

document.addEventListener("visibilitychange", () => {
  if (lock) stayAwake();
});

/** Call the API; returns the answer or throws an Error with one clear line. */
export async function call(path, { method = "GET", body } = {}) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, options);
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  const said = answer?.refused ?? answer ?? {};
  const message = said.message ?? said.detail;
  const known = typeof message === "string";
  const error = new Error(known ? told({ ...said, message }) : t("this was not understood (HTTP {n})", { n: response.status }));
  error.status = response.status;
  throw error;
}
