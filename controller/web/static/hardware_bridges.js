// Bridges: how each is, and pairing one: find it, press its button, see what was pinned. It stays in its place.

import { call } from "/static/shell.js";
import { make, t } from "/static/words.js";

const PRESS_S = 30;
const TRY_MS = 1500;
const room = encodeURIComponent(document.body.dataset.room);
const units = new Map();

/** Show a bridge, or what has changed of it; a pairing that is open stays as it is. */
export function bridge(place, found) {
  let unit = units.get(found.bridge);
  if (!unit) {
    unit = { now: "", facts: make("div"), pairing: make("div", { class: "pairing", hidden: true }) };
    const open = make("button", { type: "button", class: "small" });
    open.dataset.pair = found.bridge;
    open.addEventListener("click", () => begin(unit, found));
    unit.open = open;
    place.append(make("div", { class: "unit" }, make("header", {}, make("strong", {}, `${found.bridge} · ${found.driver}`), open), unit.facts, unit.pairing));
    units.set(found.bridge, unit);
  }
  unit.found = found;
  const now = JSON.stringify(found);
  if (unit.now === now) return;
  unit.now = now;
  unit.open.textContent = found.paired ? t("Pair anew") : t("Pair");
  unit.open.hidden = !found.pairable;
  unit.facts.replaceChildren(facts(found));
}

function facts(found) {
  const state = found.paired === false ? [t("not paired yet"), "warn"] : found.away ? [found.problem ?? t("does not answer"), "warn"] : [found.problem ?? t("linked"), found.problem ? "warn" : ""];
  const lanes = found.waiting || found.in_flight ? t("{waiting} lamps wait, {out} requests are out", { waiting: found.waiting, out: found.in_flight }) : t("nothing waits");
  const rows = [[t("State"), ...state], [t("Address"), found.address || t("not known yet"), ""]];
  if (found.hue_id) rows.push([t("Id"), found.hue_id, ""]);
  if (found.fingerprint) rows.push([t("Certificate"), found.fingerprint.match(/../g).join(":"), "fingerprint"]);
  else if (found.paired && found.pairable) rows.push([t("Certificate"), t("none: it speaks without encryption"), ""]);
  rows.push([t("Lamps"), String(found.lamps), ""]);
  if (found.away !== null) rows.push([t("Lanes"), lanes, ""]);
  return make("dl", { class: "facts" }, ...rows.flatMap(([name, value, kind]) => [make("dt", {}, name), make("dd", { class: kind }, value)]));
}

async function begin(unit) {
  const found = unit.found;
  const list = make("div", { class: "options" }, t("Looking for bridges on this network …"));
  const address = make("input", { type: "text", value: found.address, autocomplete: "off", spellcheck: false });
  address.dataset.address = found.bridge;
  const go = make("button", { type: "button", class: "main" }, t("I am at the bridge"));
  const close = make("button", { type: "button" }, t("Close"));
  go.addEventListener("click", () => wait(unit, address.value.trim(), false));
  close.addEventListener("click", () => (unit.pairing.hidden = true));
  unit.stop?.();
  unit.pairing.replaceChildren(list, make("label", { class: "field" }, t("Address"), address), make("div", { class: "bar" }, go, close));
  unit.pairing.hidden = false;
  try {
    const near = await call("/api/v1/bridges/find", { method: "POST" });
    list.replaceChildren(...(near.length ? near.map((each) => choice(each, address)) : [make("span", { class: "dim" }, t("None announced itself. Type its address."))]));
  } catch (error) {
    list.replaceChildren(make("span", { class: "warn" }, error.message));
  }
}

function choice(near, address) {
  const key = make("button", { type: "button" }, `${near.address} · ${near.hue_id}`);
  key.setAttribute("aria-pressed", "false");
  key.addEventListener("click", () => {
    address.value = near.address;
    for (const each of key.parentElement.children) each.setAttribute("aria-pressed", String(each === key));
  });
  return key;
}

/** Ask the bridge again and again while somebody walks to its button, at most for half a minute. */
async function wait(unit, address, replace) {
  const line = make("p", {}, t("Press the round button on the bridge."));
  const count = make("p", { class: "count", role: "timer" });
  const bar = make("progress", { max: PRESS_S, value: PRESS_S });
  bar.setAttribute("aria-label", t("Time left"));
  const stop = make("button", { type: "button" }, t("Stop"));
  let open = true;
  unit.stop = () => (open = false);
  stop.addEventListener("click", () => { open = false; unit.pairing.hidden = true; });
  unit.pairing.replaceChildren(line, count, bar, make("div", { class: "bar" }, stop));
  const end = Date.now() + PRESS_S * 1000;
  let next = 0;
  while (open && Date.now() < end) {
    const left = Math.ceil((end - Date.now()) / 1000);
    count.textContent = t("{n} s", { n: left });
    bar.value = left;
    if (Date.now() >= next) {
      next = Date.now() + TRY_MS;
      const done = await once(unit, address, replace);
      if (done || !open) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  if (open) tell(unit, t("The button was not pressed within 30 s. Nothing has changed."), "warn", [t("Try again"), () => wait(unit, address, replace)]);
}

/** Try once; true when there is nothing more to wait for. */
async function once(unit, address, replace) {
  const path = `/api/v1/rooms/${room}/bridges/${encodeURIComponent(unit.found.bridge)}/pair`;
  try {
    const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ address: address || null, replace }) });
    const answer = await response.json();
    if (response.status === 202) return false;
    if (response.ok) paired(unit, answer);
    else if (answer.code === "other_bridge") tell(unit, answer.detail, "warn", [t("Take this one in its place"), () => wait(unit, address, true)]);
    else tell(unit, answer.detail ?? `HTTP ${response.status}`, "warn", [t("Try again"), () => begin(unit)]);
  } catch {
    tell(unit, t("No link: nothing was paired."), "warn", [t("Try again"), () => begin(unit)]);
  }
  return true;
}

function paired(unit, answer) {
  const pinned = answer.fingerprint ? t("Its certificate is pinned: another one is refused from now on.") : t("It speaks without encryption: no certificate to pin.");
  const used = answer.in_use ? t("It is in use.") : t("It is not in use yet: restart Stillroom.");
  tell(unit, `${t("Paired with {id}.", { id: answer.hue_id })} ${pinned} ${used}`, answer.in_use ? "" : "warn");
}

function tell(unit, words, kind, again) {
  const close = make("button", { type: "button" }, t("Close"));
  close.addEventListener("click", () => (unit.pairing.hidden = true));
  const keys = [close];
  if (again) {
    const key = make("button", { type: "button", class: "main" }, again[0]);
    key.addEventListener("click", again[1]);
    keys.unshift(key);
  }
  const line = make("p", { class: kind, role: "status" }, words);
  line.dataset.told = unit.found.bridge;
  unit.pairing.replaceChildren(line, make("div", { class: "bar" }, ...keys));
}
