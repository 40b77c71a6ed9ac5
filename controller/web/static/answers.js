// What became of what was tapped: a mark on the key, and one quiet line in its place.

import { t, told } from "/static/words.js";

const MARK_MS = 1500;
const LINE_MS = 6000;

const line = document.getElementById("answer");
const timers = new WeakMap();
let lineTimer = 0;

/** Say one line; `kind` "warn" for what did not happen. */
export function say(words, kind = "") {
  clearTimeout(lineTimer);
  const part = document.createElement("span");
  part.className = kind;
  part.textContent = words;
  line.replaceChildren(part);
  if (kind !== "warn") lineTimer = setTimeout(() => line.replaceChildren(), LINE_MS);
}

/** Show a command's way on its key and in the line; returns its result. */
export async function follow(name, key, promise) {
  clearTimeout(timers.get(key));
  if (key) key.dataset.sent = "waiting";
  const slow = setTimeout(() => say(t("{name}: waiting for the link", { name })), 400);
  const result = await promise;
  clearTimeout(slow);
  if (key) key.dataset.sent = result.outcome;
  tell(name, result);
  if (key && result.outcome === "applied") timers.set(key, setTimeout(() => delete key.dataset.sent, MARK_MS));
  if (result.outcome === "superseded" && key) delete key.dataset.sent;
  return result;
}

/** Say what became of a command. */
export function tell(name, { outcome, reply }) {
  if (outcome === "applied" && !reply.preview) {
    say(reply.journaled ? t("{name}: done", { name }) : t("{name}: done, not yet on disk", { name }));
  } else if (outcome === "refused") {
    say(`${name}: ${reply.refused ? told(reply.refused) : t("refused")}`, "warn");
  } else if (outcome === "lost") {
    say(t("{name}: lost, it was not sent", { name }), "warn");
  } else if (outcome === "unknown") {
    say(t("{name}: sent, not confirmed", { name }), "warn");
  }
}
