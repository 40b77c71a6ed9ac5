// The preset designer: zones as pools of light on a plan of the room; on the real lamps too, between sessions.

import { ask, button, idFrom, latest, numberField, rangeField, showFaults, showVersions, textField } from "/static/design.js";
import "/static/room.js";
import { call } from "/static/shell.js";
import { make, t } from "/static/words.js";

const $ = (id) => document.getElementById(id);
const { room, design, copy, may } = document.body.dataset;
const mayDesign = may === "yes";
const home = `/api/v1/design/rooms/${encodeURIComponent(room)}`;
const AGAIN_MS = 60000; // a look on the real lamps goes off by itself after three minutes without a word
const COLOUR_STEPS = 24;

let base = "";
let data = null;
let zones = [];
let chosen = null;
let live = false;
let looks = [];

const path = (name) => `${home}/presets/${encodeURIComponent(name)}`;
const lookOf = (zone) => data.zones?.[zone] ?? null;

function say(words, warn = false) {
  $("said").textContent = words;
  $("said").classList.toggle("warn", warn);
}

// ---------------------------------------------------------------- checking, and the real lamps

const check = latest(async () => {
  const found = await ask(`${path(design || "draft")}/check`, { method: "POST", body: { data } });
  if (!found.ok) return say(found.message, true);
  showChecked(found.answer);
  return undefined;
}, 60);

function showChecked(checked) {
  showFaults($("faults"), checked.problems, [], null);
  $("savekey")?.setAttribute("aria-disabled", String(!mayDesign || checked.problems.length > 0));
  document.body.dataset.checked = checked.problems.length ? "faulty" : "well";
  if (checked.zones.length) {
    looks = checked.zones;
    $("plan").looks = looks;
  }
}

function tried() {
  const shown = zones.map((zone) => [zone.zone, lookOf(zone.zone) ?? data.others ?? null]).filter(([, look]) => look);
  return shown.map(([zone, look]) => ({ zone, brightness_percent: look.brightness_percent, kelvin: look.kelvin ?? null, colour: look.colour ?? null, xy: look.xy ?? null }));
}

const show = latest(async () => {
  if (!live || tried().length === 0) return;
  const answer = await ask(`${home}/try`, { method: "POST", body: { looks: tried() } });
  if (answer.ok) say(t("On the room's lamps now."));
  else {
    setLive(false);
    say(answer.message, true);
  }
}, 120);

function setLive(on) {
  live = on;
  $("live")?.setAttribute("aria-pressed", String(on));
}

async function toggleLive() {
  if (live) {
    setLive(false);
    const answer = await ask(`${home}/take_off`, { method: "POST", body: { zones: zones.map((zone) => zone.zone) } });
    say(answer.ok ? t("The lamps go back, slowly.") : answer.message, !answer.ok);
  } else {
    setLive(true);
    show();
  }
}

setInterval(() => live && document.visibilityState === "visible" && show(), AGAIN_MS);
addEventListener("pagehide", () => {
  if (!live) return;
  const body = JSON.stringify({ zones: zones.map((zone) => zone.zone) });
  fetch(`${home}/take_off`, { method: "POST", body, keepalive: true, headers: { "Content-Type": "application/json" } }).catch(() => {});
});

function changed() {
  $("state").textContent = t("not saved yet");
  check();
  show();
}

// ---------------------------------------------------------------- one zone

/** A colour of full strength from a hue (0 to 360) and a saturation (0 to 100), as `#rrggbb`. */
function colourOf(hue, saturation) {
  const part = (n) => {
    const k = (n + hue / 60) % 6;
    const value = 1 - (saturation / 100) * Math.max(0, Math.min(k, 4 - k, 1));
    return Math.round(255 * value).toString(16).padStart(2, "0");
  };
  return `#${part(5)}${part(3)}${part(1)}`;
}

function hueOf(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const [top, low] = [Math.max(r, g, b), Math.min(r, g, b)];
  const range = top - low;
  if (range === 0) return [30, 0];
  const sixth = top === r ? ((g - b) / range + 6) % 6 : top === g ? (b - r) / range + 2 : (r - g) / range + 4;
  return [Math.round(sixth * 60), Math.round((range / top) * 100)];
}

function choose(zone) {
  chosen = zone;
  $("plan").chosen = zone;
  [...$("zones").children].forEach((tab) => tab.setAttribute("aria-pressed", String(tab.dataset.zone === zone)));
  showZone();
}

function set(zone, look) {
  data.zones ??= {};
  if (look === null) delete data.zones[zone];
  else data.zones[zone] = look;
  if (Object.keys(data.zones).length === 0) delete data.zones;
  changed();
}

function colourFields(zone, look) {
  const [hue, saturation] = look.colour ? hueOf(look.colour) : [30, 60];
  let [h, s] = [hue, saturation];
  const put = () => set(zone.zone, { brightness_percent: look.brightness_percent, colour: colourOf(h, s) });
  return [
    rangeField(t("Colour"), { min: 0, max: 360, step: 360 / COLOUR_STEPS, value: hue, say: (n) => `${n}°`, disabled: !mayDesign, put: (n) => ((h = n), put()) }),
    rangeField(t("Strength of the colour"), { min: 0, max: 100, step: 5, value: saturation, say: (n) => `${n} %`, disabled: !mayDesign, put: (n) => ((s = n), put()) }),
  ];
}

function ways(zone, look) {
  const way = look === null ? "as" : look.colour || look.xy ? "colour" : "white";
  const choices = [["as", t("Leave as it is")]];
  if (zone.kelvin || !zone.lamps) choices.push(["white", t("Warmth")]);
  else choices.push(["white", t("Brightness only")]);
  if (zone.colour) choices.push(["colour", t("Colour")]);
  const turn = (to) => {
    const percent = look?.brightness_percent ?? 20;
    const made = { as: null, white: { brightness_percent: percent, kelvin: 2700 }, colour: { brightness_percent: percent, colour: colourOf(30, 60) } };
    set(zone.zone, made[to]);
    showZone();
  };
  const made = choices.map(([name, words]) => {
    const key = button(words, () => mayDesign && turn(name));
    key.dataset.way = name;
    key.setAttribute("aria-pressed", String(name === way));
    return key;
  });
  return make("div", { class: "options", role: "group", "aria-label": t("What the zone does") }, ...made);
}

function showZone() {
  const zone = zones.find((each) => each.zone === chosen);
  if (!zone) return;
  const own = lookOf(zone.zone);
  const parts = [make("h2", {}, zone.title), ways(zone, own)];
  if (own === null && data.others) parts.push(make("p", { class: "dim" }, t("This zone follows “other zones”: {n} %.", { n: data.others.brightness_percent })));
  if (own !== null) {
    parts.push(rangeField(t("Brightness"), { min: 0, max: 100, step: 0.5, value: own.brightness_percent, say: (n) => `${n} %`, disabled: !mayDesign, put: (n) => ((own.brightness_percent = n), changed()) }));
    if (own.xy) parts.push(make("p", { class: "dim" }, t("Its colour is written as x and y, and left as it is.")));
    else if (own.colour) parts.push(...colourFields(zone, own));
    else {
      const [low, high] = zone.kelvin ?? [1800, 6500];
      parts.push(rangeField(t("Warmth"), { min: Math.max(1500, Math.ceil(low / 50) * 50), max: Math.min(6500, high), step: 50, value: own.kelvin ?? 2700, say: (n) => `${n} K`, disabled: !mayDesign || !zone.kelvin, put: (n) => ((own.kelvin = n), changed()) }));
    }
  }
  $("zone").replaceChildren(...parts);
}

// ---------------------------------------------------------------- the whole

function put(key, value, usual) {
  if (value === null || value === usual) delete data[key];
  else data[key] = value;
  changed();
}

function showWhole() {
  const title = textField(t("Name of the preset"), {
    value: data.title ?? "", name: "title", disabled: !mayDesign,
    put: (words) => {
      put("title", words || null);
      if (!design) $("newid").value = idFrom(words);
    },
  });
  const parts = [title];
  if (!design) {
    const wanted = make("input", { id: "newid", name: "newid", maxLength: 26, autocomplete: "off" });
    wanted.value = copy ? idFrom(data.title ?? copy) : "";
    parts.push(make("label", { class: "field" }, t("Its id, as in commands and file names"), wanted));
  }
  parts.push(
    rangeField(t("Seconds to get there"), { min: 0, max: 120, step: 1, value: data.fade_s ?? 5, say: (n) => t("{n} s", { n }), disabled: !mayDesign, put: (n) => put("fade_s", n) }),
    rangeField(t("Music quieter by"), { min: 0, max: 60, step: 1, value: -(data.music_db ?? 0), say: (n) => (n === 60 ? t("silence") : `${n} dB`), disabled: !mayDesign, put: (n) => put("music_db", n === 0 ? null : -n) }),
    numberField(t("Comes off by itself after minutes (empty: when released)"), { min: 0.1, max: 1440, value: data.returns_after_minutes, disabled: !mayDesign, put: (n) => put("returns_after_minutes", n) }),
  );
  $("whole").replaceChildren(...parts);
}

async function save() {
  if ($("savekey").getAttribute("aria-disabled") === "true") return;
  const wanted = design || $("newid").value || "";
  if (!wanted) return say(t("Give the preset a name first."), true);
  const answer = await ask(path(wanted), { method: "PUT", body: { data, base } });
  if (answer.ok) {
    location.assign(`/design/rooms/${encodeURIComponent(room)}/preset?id=${encodeURIComponent(wanted)}&saved=${answer.answer.number}`);
    return undefined;
  }
  if (answer.problems.length) showFaults($("faults"), answer.problems, [], null);
  if (answer.status === 409 && answer.theirs) {
    const mine = button(t("Save mine over it"), () => ((base = answer.theirs), save()));
    const theirs = button(t("Take theirs"), () => location.reload());
    $("said").replaceChildren(answer.message, " ", mine, " ", theirs);
    return undefined;
  }
  return say(answer.message, true);
}

async function restore(number) {
  const answer = await ask(`${path(design)}/restore`, { method: "POST", body: { number, base } });
  if (answer.ok) location.reload();
  else say(answer.message, true);
}

async function load() {
  try {
    zones = await call(`${home}/zones`);
    $("plan").zones = zones;
    const source = design || copy;
    if (source) {
      const found = await call(path(source));
      ({ data } = found);
      if (design) ({ base } = found);
      else {
        delete data.is_help;
        data.title = t("{name}, copy", { name: data.title ?? source });
      }
      showChecked(found.checked);
    } else data = { zones: Object.fromEntries(zones.map((zone) => [zone.zone, { brightness_percent: 20, kelvin: 2500 }])) };
    $("title").textContent = design ? (data.title ?? design) : t("A new preset");
    const tab = (zone) => {
      const made = button(zone.title, () => choose(zone.zone), { class: "tab" });
      made.dataset.zone = zone.zone;
      return made;
    };
    $("zones").replaceChildren(...zones.map(tab));
    choose(zones[0]?.zone ?? null);
    showWhole();
    check();
    if (design) showVersions($("versions"), path(design), mayDesign ? restore : null);
    if (new URLSearchParams(location.search).get("saved")) say(t("Saved."));
    document.body.dataset.ready = "yes";
  } catch (error) {
    say(error.message, true);
  }
}

$("plan").addEventListener("zone", (event) => choose(event.detail));
$("savekey")?.addEventListener("click", save);
$("live")?.addEventListener("click", toggleLive);
load();
