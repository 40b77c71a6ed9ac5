// What is: the phase, the zones, the music, what is overridden, cards, faults. It only draws what it is given,
// and changes only what changed, so that nothing moves without need.

import { clockTime, icon, language, make, plain, span, t } from "/static/words.js";

const $ = (id) => document.getElementById(id);
const cells = new Map();
const cards = new Map();

function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** How long an override lasts, in words. */
function lasting(override, nowMs) {
  if (override.scene) return t("{name} is on", { name: plain(override.scene) });
  if (override.scope === "minutes" && override.until_ms !== null) {
    return t("yours for {time}", { time: span(override.until_ms - nowMs) });
  }
  return override.scope === "phase" ? t("yours until the phase ends") : t("yours");
}

/** What of a zone or the music is the therapist's, in one line. */
function held(overrides, nowMs) {
  if (overrides.length === 0) return "";
  const scene = overrides.find((one) => one.scene);
  if (scene) return lasting(scene, nowMs);
  const channels = overrides.map((one) => plain(one.channel.split(/[.:]/)[0])).join(", ");
  return `${channels}: ${lasting(overrides[0], nowMs)}`;
}

function percent(value) {
  return value < 9.95 ? `${Math.round(value * 10) / 10} %` : `${Math.round(value)} %`;
}

function cell(key, mark, release) {
  if (cells.has(key)) return cells.get(key);
  const parts = {
    mark,
    title: make("strong"),
    detail: make("span", { class: "dim" }),
    yours: make("span", { class: "yours" }),
    button: make("button", { type: "button", onclick: release }, icon("release"), make("span", { class: "label" }, t("Give back"))),
  };
  parts.root = make("div", { class: "cell" }, mark, make("span", { class: "words" }, parts.title, parts.detail, parts.yours), parts.button);
  parts.button.dataset.release = key;
  $("cells").append(parts.root);
  cells.set(key, parts);
  return parts;
}

/** Show that a cell is the therapist's, and how to give it back. */
function mark(parts, yours) {
  parts.yours.hidden = parts.button.hidden = !yours;
  parts.root.classList.toggle("held", Boolean(yours));
}

function drawZone(zone, nowMs, actions) {
  const parts = cell(zone.zone, make("span", { class: "swatch" }), (event) => actions.releaseZone(zone.zone, event.currentTarget));
  parts.mark.style.setProperty("background-color", zone.swatch);
  write(parts.title, plain(zone.zone));
  const colour = zone.kelvin === null ? t("colour") : `${zone.kelvin} K`;
  write(parts.detail, `${percent(zone.brightness_percent)} · ${colour}${zone.fading ? ` · ${t("fading")}` : ""}`);
  const byHand = zone.changed_by_hand.length > 0 ? t("changed by hand, left alone") : "";
  const yours = held(zone.overrides, nowMs) || byHand;
  write(parts.yours, yours);
  mark(parts, yours);
  parts.button.setAttribute("aria-label", t("Give {name} back to the plan", { name: plain(zone.zone) }));
}

function drawMusic(music, nowMs, actions) {
  const parts = cell("music", icon("music"), (event) => actions.releaseSound(event.currentTarget));
  const states = { silence: t("silence"), bed: t("the bed carries"), stopped: t("stopped") };
  const title = [music.title, music.artist].filter(Boolean).join(" · ");
  write(parts.title, music.state === "playing" ? title || plain(music.pool ?? "") : states[music.state]);
  const trim = Math.round(music.trim_db);
  const level = music.calibrated ? `${Math.round(music.level_dba)} dB(A)` : t("about {n} dB(A)", { n: Math.round(music.level_dba) });
  write(parts.detail, [plain(music.mood || music.pool || ""), level].filter(Boolean).join(" · "));
  const yours = held(music.overrides, nowMs);
  write(parts.yours, yours && trim ? `${trim > 0 ? "+" : "−"}${Math.abs(trim)} dB, ${yours}` : yours);
  mark(parts, yours);
  parts.button.setAttribute("aria-label", t("Give the sound back to the plan"));
}

function drawSession(state) {
  const session = state.session;
  write($("title"), session ? session.title : state.title);
  $("room").hidden = !session;
  $("unreviewed").hidden = !session?.unreviewed;
  if (!session || session.status === "ended") {
    write($("phase"), session ? t("The session has ended") : t("No session"));
    write($("times"), session ? "" : state.prepared ? t("the room is prepared") : t("start one on the room's page"));
    write($("ends"), "");
    return;
  }
  write($("phase"), session.status === "held" ? t("{phase}, held", { phase: session.phase_title }) : session.phase_title);
  write($("times"), t("{done} in · {left} left", { done: span(session.phase_elapsed_ms), left: span(session.phase_left_ms) }));
  const end = { time: clockTime(session.planned_end_ms) };
  if (session.status === "asking") write($("ends"), t("back after a break: go on?"));
  else write($("ends"), session.status === "held" ? t("ends {time}, later while held", end) : t("ends {time}", end));
}

function drawCards(state, actions) {
  const wanted = new Map((state.session?.cards ?? []).map((card) => [card.prompt_id, card]));
  for (const [id, element] of cards) {
    if (wanted.has(id)) continue;
    element.remove();
    cards.delete(id);
  }
  for (const [id, card] of wanted) {
    if (cards.has(id)) continue;
    const done = make("button", { type: "button", onclick: () => actions.cardDone(id, done) }, t("Done"));
    done.setAttribute("aria-label", t("{text} Done", { text: card.text }));
    cards.set(id, make("div", { class: "card" }, make("p", {}, card.text), done));
    $("cards").append(cards.get(id));
  }
}

let cueShown = "";
function drawCue(state, actions) {
  const cue = state.session?.next_cue ?? null;
  const shown = cue ? cue.cue_id : "";
  if (shown !== cueShown) {
    cueShown = shown;
    $("cue").replaceChildren();
    if (cue) {
      const later = make("button", { type: "button", onclick: () => actions.cueLater(cue.cue_id, later) }, t("5 min later"));
      $("cue").append(make("span", {}, make("p", { class: "dim", id: "cuewhen" }), make("p", { id: "cuetext" })), later);
    }
  }
  if (!cue) return;
  const who = cue.audience === "client" ? t("to the client") : t("to you");
  const left = cue.due_ms - state.session.session_ms;
  write($("cuewhen"), left > 0 ? t("in {time}, {who}", { time: span(left), who }) : t("now, {who}", { who }));
  write($("cuetext"), cue.text);
}

const PARTS = { lights: "Light", music: "Music", player: "Player", sound: "Sound", journal: "Journal", mqtt: "Broker", speech: "Voice", bookings: "Bookings", clock: "Clock", calibration: "Calibration" };

/** A fault in the reader's language; what a device itself said stays as it is, with its part's name before it. */
function faultWords({ part, message }) {
  const said = t(message);
  const name = PARTS[part.split(".")[0]];
  return said !== message || language === "en" || !name ? said : `${t(name)}: ${message}`;
}

let faultsShown = "";
function drawFaults(faults) {
  const shown = faults.map((fault) => `${fault.part}: ${fault.message}`).join("\n");
  if (shown === faultsShown) return;
  faultsShown = shown;
  $("faults").replaceChildren(...faults.map((fault) => make("p", {}, faultWords(fault))));
}

/** Draw a state. */
export function draw(state, actions) {
  drawSession(state);
  for (const zone of state.zones) drawZone(zone, state.now_ms, actions);
  drawMusic(state.music, state.now_ms, actions);
  drawCards(state, actions);
  drawCue(state, actions);
  drawFaults(state.faults);
  write($("clock"), clockTime(state.now_ms));
}

/** Say how the link is and how old the values are. */
export function drawLink(link) {
  document.body.dataset.link = link.health;
  const age = { n: Math.round((link.age ?? 0) / 1000) };
  const never = link.age === null;
  const words = {
    live: t("live"),
    old: t("values {n} s old", age),
    down: never ? t("no link yet") : t("no link, values {n} s old", age),
  };
  write($("linkwords"), words[link.health]);
}
