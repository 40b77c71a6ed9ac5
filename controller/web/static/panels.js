// One level down: zones, music, prompts, notes, more. A panel opens in the place of the overview, never above it.

import { call } from "/static/shell.js";
import { lightness, percentOf } from "/static/ribbon.js";
import { make, plain, span, t } from "/static/words.js";

const $ = (id) => document.getElementById(id);
const NAMES = ["lights", "music", "prompts", "notes", "more"];
const ANCHORS = { dose: "Dose taken", supplement_given: "Supplement given", supplement_declined: "Supplement declined" };
const INSTEAD_OF = { supplement_declined: "supplement_given" }; // nothing is left to decline once it was given

/** Show one panel, or with null the overview. */
export function show(name) {
  $("view-now").hidden = name !== null;
  for (const each of NAMES) {
    $(`view-${each}`).hidden = each !== name;
    document.querySelector(`[data-key="${each}"]`).setAttribute("aria-expanded", String(each === name));
  }
}

/** The panel that is open, or null. */
export function opened() {
  return NAMES.find((name) => !$(`view-${name}`).hidden) ?? null;
}

const sliders = new Map();

function slider(label, { min, max, step, format, onvalue }) {
  const element = document.createElement("still-slider");
  for (const [name, value] of Object.entries({ min, max, step, "aria-label": label })) element.setAttribute(name, value);
  element.format = format;
  element.onvalue = onvalue;
  return element;
}

function zoneSlider(zone, send) {
  // The slider runs in L*, so that the low end, where sessions live, has room.
  const element = slider(plain(zone), {
    min: 0,
    max: 100,
    step: 0.5,
    format: (lstar) => {
      const percent = percentOf(lstar);
      return `${percent < 9.95 ? percent.toFixed(1) : Math.round(percent)} %`;
    },
    onvalue: (lstar, gesture) =>
      send({ command: "light", zone, brightness: Number(percentOf(lstar).toFixed(3)), fade_s: 0.3, gesture }, `light:${zone}`),
  });
  element.dataset.zone = zone;
  return element;
}

function volumeSlider(send) {
  return slider(t("Volume"), {
    min: -24,
    max: 6,
    step: 0.5,
    format: (db) => (db === 0 ? t("as planned") : `${db > 0 ? "+" : "−"}${Math.abs(db)} dB`),
    onvalue: (db, gesture) => send({ command: "volume", db, gesture }, "volume"),
  });
}

/** Follow the room's state in the sliders, and offer its phases. */
export function follow(state, actions) {
  for (const zone of state.zones) {
    if (!sliders.has(zone.zone)) {
      const element = zoneSlider(zone.zone, actions.drag);
      sliders.set(zone.zone, element);
      $("zones").append(element);
    }
    sliders.get(zone.zone).follow(lightness(zone.brightness_percent), state.revision, zone.fading);
  }
  if (!sliders.has("volume")) {
    sliders.set("volume", volumeSlider(actions.drag));
    $("volume").append(sliders.get("volume"));
  }
  sliders.get("volume").follow(state.music.trim_db, state.revision, false);
  for (const tile of $("pools").children) tile.setAttribute("aria-pressed", String(tile.dataset.pool === state.music.pool));
  orderMoods(state.session);
  followPhases(state.session, actions);
}

let phasesShown = "";
function followPhases(session, actions) {
  const anchors = session?.profile_anchors ?? [];
  const marks = anchors.map((one) => `${one.anchor} ${one.marked_ms}`);
  const shown = session ? `${session.phase}|${session.phases.map((phase) => phase.phase).join()}|${marks}` : "";
  if (shown === phasesShown) return;
  phasesShown = shown;
  const tile = (phase) => {
    const button = make("button", { type: "button" }, make("span", { class: "label" }, phase.title));
    button.setAttribute("aria-pressed", String(phase.state === "now"));
    actions.gotoPhase(phase, button);
    return button;
  };
  // A phase that was entered twice is offered once.
  const phases = new Map((session?.phases ?? []).map((phase) => [phase.phase, phase]));
  $("phases").replaceChildren(...[...phases.values()].map(tile));
  $("anchors").replaceChildren(...anchors.filter((one) => offered(one, anchors)).map((one) => anchorTile(one, actions)));
  $("given").textContent = anchors.filter((one) => one.marked_ms !== null).map(given).join(" · ");
}

const nameOf = (anchor) => (anchor in ANCHORS ? t(ANCHORS[anchor]) : plain(anchor));
const given = ({ anchor, marked_ms: at }) => t("{name} at {time} of the session", { name: nameOf(anchor), time: span(at) });

/** Only what this profile has, what was not given yet, and what still makes sense. */
function offered({ anchor, marked_ms: at }, anchors) {
  if (at !== null) return false;
  return !anchors.some((other) => other.anchor === INSTEAD_OF[anchor] && other.marked_ms !== null);
}

function anchorTile({ anchor }, actions) {
  const button = make("button", { type: "button" }, make("span", { class: "label" }, nameOf(anchor)));
  button.dataset.anchor = anchor;
  actions.anchor(anchor, nameOf(anchor), button);
  return button;
}

// The moods of this session come first, in its own order; the others keep theirs behind them.
let moodsShown = "";
function orderMoods(session) {
  const planned = [...new Set((session?.phases ?? []).map((phase) => phase.pool).filter(Boolean))];
  const tiles = [...$("pools").children].filter((tile) => tile.dataset.pool);
  const shown = `${planned}|${tiles.length}`;
  if (shown === moodsShown) return;
  moodsShown = shown;
  const place = (tile) => (planned.includes(tile.dataset.pool) ? planned.indexOf(tile.dataset.pool) : planned.length);
  $("pools").append(...tiles.sort((one, other) => place(one) - place(other)));
}

const listed = new Map();

/** List what can be chosen. What is listed already and is still so stays as it is, under whatever finger. */
async function fill(place, path, tile) {
  try {
    const found = await call(path);
    const text = JSON.stringify(found);
    if (listed.get(place) === text) return;
    listed.set(place, text);
    $(place).replaceChildren(...found.map(tile));
  } catch (error) {
    if (listed.has(place)) return;
    $(place).replaceChildren(make("p", { class: "warn" }, t("cannot be listed: {why}", { why: error.message })));
  }
}

function tile([name, value], label, act) {
  const button = make("button", { type: "button" }, label);
  button.dataset[name] = value;
  button.addEventListener("click", () => act(button));
  return button;
}

function promptTile(prompt, actions) {
  const button = tile(["prompt", prompt.name], "", (key) => actions.prompt(prompt, key));
  button.append(make("strong", {}, prompt.title), make("span", { class: "dim" }, prompt.detail));
  return button;
}

/** Fetch what can be chosen. */
export async function load(room, actions) {
  const query = `?room=${encodeURIComponent(room)}`;
  const prompts = () => fill("prompts", `/api/v1/prompts${query}`, (prompt) => promptTile(prompt, actions));
  // Their words say what part of the day it is: asked again whenever they are opened.
  document.querySelector('[data-key="prompts"]').addEventListener("click", prompts);
  await Promise.all([
    fill("pools", `/api/v1/pools${query}`, (pool) => tile(["pool", pool.name], pool.title, (key) => actions.mood(pool, key))),
    prompts(),
    fill("presets", `/api/v1/presets${query}`, (preset) => tile(["preset", preset.name], preset.title, (key) => actions.preset(preset, key))),
  ]);
  for (const own of ["path", "help"]) document.querySelector(`[data-preset="${own}"]`)?.remove(); // they have their keys
}
