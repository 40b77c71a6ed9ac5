// The profile designer: the draft is the file's own data; what the form does not show stays in it untouched.

import { ask, button, idFrom, latest, titleOf, numberField, rangeField, selectField, showFaults, showVersions, textField, tickField } from "/static/design.js";
import { call } from "/static/shell.js";
import "/static/phase_ribbon.js";
import { make, plain, span, t } from "/static/words.js";

const $ = (id) => document.getElementById(id);
const { room, design, copy, role } = document.body.dataset;
const mayDesign = document.body.dataset.may === "yes";
const at = (path) => `${path}${path.includes("?") ? "&" : "?"}room=${encodeURIComponent(room)}`;
const stage = $("stage");

let id = design;
let base = "";
let data = null;
let chosen = 0;
let dirty = false;
let signatures = [];
let pools = [];
let prompts = [];
let zones = [];

const path = () => `/api/v1/design/profiles/${encodeURIComponent(id || "draft")}`;
const LIGHT = ["brightness_percent", "kelvin", "fade_minutes"];
const MUSIC = ["pool", "mood", "energy", "level_dba", "words_allowed", "unbroken"];
const PHASE = ["id", "title", "minutes", "light", "music", "cues", "suppress_client_prompts", "light_frozen"];
const WHOLE = ["profile", "title", "description", "status", "reviewed_by", "minimum_minutes", "zone_factors", "phases"];

const EMPTY = () => ({
  profile: "",
  title: "",
  status: "unreviewed",
  minimum_minutes: 0,
  zone_factors: { ceiling: 0.6, path: 0.4 },
  phases: [
    { id: "arrive", minutes: 10, light: { brightness_percent: 35, kelvin: 2700 }, music: { pool: "nature", energy: 0.15, level_dba: 44 } },
    { id: "rest", minutes: 20, light: { brightness_percent: 10, kelvin: 2200 }, music: { pool: "drone", energy: 0.15, level_dba: 42 } },
    { id: "close", minutes: 10, light: { brightness_percent: 35, kelvin: 2700 }, music: { pool: "silence" } },
  ],
});

// ---------------------------------------------------------------- the draft

function say(words, warn = false) {
  $("said").textContent = words;
  $("said").classList.toggle("warn", warn);
}

function changed() {
  dirty = true;
  $("state").textContent = t("not saved yet");
  showSigning();
  check();
}

/** Set a key, or take it out where its value is the one that counts anyway. */
function put(part, key, value, usual) {
  if (value === null || value === undefined || value === usual) delete part[key];
  else part[key] = value;
  changed();
}

const check = latest(async () => {
  const asked = data;
  const found = await ask(at(`${path()}/check`), { method: "POST", body: { data: { ...data, profile: data.profile || id || "draft", title: data.title || "…" } } });
  if (asked !== data) return;
  if (found.ok) showChecked(found.answer);
  else say(found.message, true);
});

function showChecked(checked) {
  showFaults($("faults"), checked.problems, checked.warnings, goTo);
  const total = data.phases.reduce((sum, phase) => sum + (Number(phase.minutes) || 0), 0);
  $("length").textContent = span(total * 60000);
  if (checked.ribbon) stage.plan = checked.ribbon;
  $("savekey")?.setAttribute("aria-disabled", String(!mayDesign || checked.problems.length > 0));
  document.body.dataset.checked = checked.problems.length ? "faulty" : "well";
}

function goTo(where) {
  const named = data.phases.findIndex((phase) => phase.id === where);
  const written = /^phases\[(\d+)\]/.exec(where);
  const index = named >= 0 ? named : written ? Number(written[1]) : -1;
  if (index >= 0) choose(index);
  $(index >= 0 ? "phase" : "whole").scrollIntoView({ block: "nearest" });
}

// ---------------------------------------------------------------- one phase

function choose(index) {
  chosen = Math.max(0, Math.min(index, data.phases.length - 1));
  stage.chosen = chosen;
  [...$("phases").children].forEach((tab, n) => tab.setAttribute("aria-pressed", String(n === chosen)));
  showPhase();
}

const nameOf = (phase) => phase.title || titleOf(phase.id);

function showTabs() {
  const tab = (phase, index) => {
    const made = button(nameOf(phase), () => choose(index), { class: "tab" });
    made.append(make("span", { class: "dim" }, t("{n} min", { n: phase.minutes ?? "?" })));
    made.setAttribute("aria-pressed", String(index === chosen));
    return made;
  };
  $("phases").replaceChildren(...data.phases.map(tab));
}

function redraw() {
  showTabs();
  stage.data = data;
  stage.chosen = chosen;
}

function freshId(wanted) {
  const taken = new Set(data.phases.map((phase) => phase.id));
  const start = wanted || "phase";
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? start : `${start.slice(0, 23)}-${n}`;
    if (!taken.has(name)) return name;
  }
}

function addPhase() {
  const like = data.phases[chosen];
  const name = freshId("phase");
  const fresh = { id: name, minutes: 10, light: { brightness_percent: like.light.brightness_percent, kelvin: like.light.kelvin }, music: { pool: "silence" } };
  data.phases.splice(chosen + 1, 0, fresh);
  chosen += 1;
  redraw();
  showPhase();
  changed();
}

function movePhase(by) {
  const to = chosen + by;
  if (to < 0 || to >= data.phases.length) return;
  data.phases.splice(to, 0, data.phases.splice(chosen, 1)[0]);
  chosen = to;
  redraw();
  showPhase();
  changed();
}

function removePhase() {
  if (data.phases.length < 2) return say(t("A profile has one phase at least."), true);
  const [gone] = data.phases.splice(chosen, 1);
  chosen = Math.min(chosen, data.phases.length - 1);
  redraw();
  showPhase();
  changed();
  const back = button(t("Put it back"), () => {
    data.phases.splice(Math.min(chosen + 1, data.phases.length), 0, gone);
    redraw();
    choose(data.phases.indexOf(gone));
    changed();
    say("");
  });
  $("said").replaceChildren(t("{name} is taken out.", { name: nameOf(gone) }), " ", back);
  return undefined;
}

function unseen(part, known) {
  return Object.keys(part).filter((key) => !known.includes(key) && !(Array.isArray(part[key]) && part[key].length === 0));
}

function lightFields(phase) {
  const { light } = phase;
  const percent = rangeField(t("Brightness"), {
    min: 0, max: 100, step: 0.5, value: light.brightness_percent ?? 0, disabled: !mayDesign,
    say: (n) => `${n} %`, put: (n) => (put(light, "brightness_percent", n), redraw()),
  });
  const warmth = rangeField(t("Warmth"), {
    min: 1800, max: 4000, step: 50, value: light.kelvin ?? 2700, disabled: !mayDesign, say: (n) => `${n} K`, put: (n) => put(light, "kelvin", n),
  });
  const fade = numberField(t("Fade in minutes (empty: by itself)"), { min: 0, max: 1440, value: light.fade_minutes, disabled: !mayDesign, put: (n) => put(light, "fade_minutes", n) });
  const frozen = tickField(t("Nothing moves the light but the therapist"), { value: phase.light_frozen, disabled: !mayDesign, put: (on) => put(phase, "light_frozen", on, false) });
  return make("fieldset", { class: "plain group" }, make("legend", {}, t("Light")), percent, warmth, fade, frozen);
}

function musicFields(phase) {
  const { music } = phase;
  const choices = [["silence", t("silence")], ...pools.map((pool) => [pool.name, pool.title || plain(pool.name)])];
  if (music.pool && !choices.some(([name]) => name === music.pool)) choices.push([music.pool, music.pool]);
  const pool = selectField(t("Music from"), {
    value: music.pool, choices, disabled: !mayDesign,
    put: (name) => {
      if (name === "silence") for (const key of ["energy", "level_dba", "mood", "unbroken", "words_allowed"]) delete music[key];
      else {
        music.energy ??= 0.2;
        music.level_dba ??= 45;
      }
      put(music, "pool", name);
      showPhase();
    },
  });
  const parts = [make("legend", {}, t("Music")), pool];
  if (music.pool !== "silence") {
    parts.push(
      rangeField(t("Energy"), { min: 0, max: 1, step: 0.05, value: music.energy ?? 0, disabled: !mayDesign, say: (n) => String(n), put: (n) => put(music, "energy", n) }),
      rangeField(t("Level"), { min: 30, max: 75, step: 1, value: music.level_dba ?? 45, disabled: !mayDesign, say: (n) => `${n} dB(A)`, put: (n) => put(music, "level_dba", n) }),
      textField(t("Mood in words (empty: the pool's name)"), { value: music.mood, max: 60, disabled: !mayDesign, put: (words) => put(music, "mood", words || null) }),
      tickField(t("Songs with words may come"), { value: music.words_allowed, disabled: !mayDesign, put: (on) => put(music, "words_allowed", on, false) }),
      tickField(t("One piece without a change"), { value: music.unbroken, disabled: !mayDesign, put: (on) => put(music, "unbroken", on, false) }),
    );
  }
  return make("fieldset", { class: "plain group" }, ...parts);
}

function cueLine(phase, cue, index) {
  const known = prompts.map((prompt) => [prompt.name, prompt.title]);
  if (cue.prompt && !known.some(([name]) => name === cue.prompt)) known.push([cue.prompt, cue.prompt]);
  const kind = cue.every_minutes === undefined ? (cue.at_minute === 0 ? "start" : "once") : "every";
  const turn = (to) => {
    for (const key of ["at_minute", "every_minutes", "from_minute", "until_minute"]) delete cue[key];
    if (to === "every") cue.every_minutes = 10;
    else cue.at_minute = to === "start" ? 0 : 1;
    changed();
    showPhase();
  };
  const parts = [
    selectField(t("Prompt"), { value: cue.prompt, choices: known, disabled: !mayDesign, put: (name) => put(cue, "prompt", name) }),
    selectField(t("When"), { value: kind, choices: [["start", t("at the phase's start")], ["once", t("once, after")], ["every", t("again and again, every")]], disabled: !mayDesign, put: turn }),
  ];
  if (kind === "once") parts.push(numberField(t("minutes"), { min: 0, max: 1440, value: cue.at_minute, disabled: !mayDesign, put: (n) => put(cue, "at_minute", n) }));
  if (kind === "every") {
    parts.push(
      numberField(t("minutes"), { min: 1, max: 1440, value: cue.every_minutes, disabled: !mayDesign, put: (n) => put(cue, "every_minutes", n) }),
      numberField(t("from minute"), { min: 0, max: 1440, value: cue.from_minute, disabled: !mayDesign, put: (n) => put(cue, "from_minute", n) }),
      numberField(t("until minute"), { min: 0, max: 1440, value: cue.until_minute, disabled: !mayDesign, put: (n) => put(cue, "until_minute", n) }),
    );
  }
  if (mayDesign) {
    const out = button(t("Take out"), () => {
      phase.cues.splice(index, 1);
      if (phase.cues.length === 0) delete phase.cues;
      changed();
      showPhase();
    });
    out.setAttribute("aria-label", t("Take out prompt {n}", { n: index + 1 }));
    parts.push(out);
  }
  return make("li", { class: "cueline" }, ...parts);
}

function cueFields(phase) {
  const list = make("ul", { class: "list" }, ...(phase.cues ?? []).map((cue, index) => cueLine(phase, cue, index)));
  const hushed = tickField(t("No prompt to the client comes by itself here"), { value: phase.suppress_client_prompts, disabled: !mayDesign, put: (on) => put(phase, "suppress_client_prompts", on, false) });
  const parts = [make("legend", {}, t("Prompts and cards")), hushed, list];
  if (mayDesign && prompts.length) {
    parts.push(button(t("Add a prompt"), () => {
      (phase.cues ??= []).push({ prompt: prompts[0].name, at_minute: 1 });
      changed();
      showPhase();
    }, { id: "addcue" }));
  }
  return make("fieldset", { class: "plain group cues" }, ...parts);
}

function showPhase() {
  const phase = data.phases[chosen];
  phase.light ??= { brightness_percent: 10, kelvin: 2200 };
  phase.music ??= { pool: "silence" };
  const name = textField(t("Name of the phase"), { value: phase.title ?? "", name: "phasetitle", disabled: !mayDesign, put: (words) => (put(phase, "title", words || null), showTabs()) });
  name.querySelector("input").placeholder = nameOf({ id: phase.id });
  const minutes = numberField(t("Minutes"), { min: 1, max: 1440, value: phase.minutes, disabled: !mayDesign, put: (n) => (put(phase, "minutes", n), redraw()) });
  minutes.querySelector("input").name = "minutes";
  const more = [...unseen(phase, PHASE), ...unseen(phase.light, LIGHT), ...unseen(phase.music, MUSIC)];
  const also = more.length ? [make("p", { class: "dim", id: "also" }, t("Also written here, and left as it is: {names}.", { names: more.map((key) => key.replaceAll("_", " ")).join(", ") }))] : [];
  $("phasename").textContent = nameOf(phase);
  $("fields").replaceChildren(make("div", { class: "pair" }, name, minutes), lightFields(phase), musicFields(phase), cueFields(phase), ...also);
}

// ---------------------------------------------------------------- the whole

function showWhole() {
  const title = textField(t("Name of the profile"), {
    value: data.title, name: "title", disabled: !mayDesign,
    put: (words) => {
      put(data, "title", words);
      if (!design) $("newid").value = idFrom(words);
      $("title").textContent = words || t("A new profile");
    },
  });
  const about = textField(t("A few words for whoever chooses it"), { value: data.description ?? "", max: 1000, disabled: !mayDesign, put: (words) => put(data, "description", words || null) });
  const least = numberField(t("Minimum in minutes: before it, only “end anyway”"), { min: 0, max: 1440, value: data.minimum_minutes ?? 0, disabled: !mayDesign, put: (n) => put(data, "minimum_minutes", n, base ? undefined : null) });
  const factors = zones.map((zone) => {
    const value = Math.round(100 * (data.zone_factors?.[zone.zone] ?? 1));
    return rangeField(t("{zone}: share of the brightness", { zone: zone.title }), {
      min: 0, max: 100, step: 5, value: Math.min(value, 100), disabled: !mayDesign, say: (n) => `${n} %`,
      put: (n) => {
        data.zone_factors ??= {};
        put(data.zone_factors, zone.zone, n / 100, zone.zone in data.zone_factors ? undefined : 1);
      },
    });
  });
  const parts = [title, about, least, ...factors];
  if (!design) {
    const wanted = make("input", { id: "newid", name: "newid", maxLength: 26, autocomplete: "off" });
    wanted.value = data.profile;
    parts.splice(1, 0, make("label", { class: "field" }, t("Its id, as in commands and file names"), wanted));
  }
  const more = unseen(data, WHOLE);
  if (more.length) parts.push(make("p", { class: "dim" }, t("Also written here, and left as it is: {names}.", { names: more.map((key) => key.replaceAll("_", " ")).join(", ") })));
  $("wholefields").replaceChildren(...parts);
}

function showSigning() {
  if (!design) return;
  const reviewed = data.status === "reviewed" && !dirty;
  $("status").textContent = reviewed ? t("reviewed") : t("unreviewed");
  const roles = dirty ? [] : signatures.map((one) => t(one.role));
  $("signed").textContent = roles.length ? t("Signed by: {roles}", { roles: roles.join(", ") }) : t("Nobody has signed this version.");
  const mine = signatures.some((one) => one.role === role);
  const key = $("sign");
  if (key) key.hidden = reviewed || dirty || !base || mine;
}

// ---------------------------------------------------------------- saving

async function save() {
  if ($("savekey").getAttribute("aria-disabled") === "true") return;
  const wanted = design || $("newid")?.value || "";
  if (!data.title) return say(t("Give the profile a name first."), true);
  const answer = await ask(`/api/v1/design/profiles/${encodeURIComponent(wanted || "-")}`, { method: "PUT", body: { data: { ...data, profile: wanted }, base } });
  if (answer.ok) {
    location.assign(`/design/rooms/${encodeURIComponent(room)}/profile?id=${encodeURIComponent(wanted)}&saved=${answer.answer.number}`);
    return undefined;
  }
  if (answer.status === 409 && answer.theirs) return conflict(answer);
  if (answer.problems.length) showFaults($("faults"), answer.problems, [], goTo);
  return say(answer.message, true);
}

function conflict(answer) {
  const mine = button(t("Save mine over it"), () => {
    base = answer.theirs;
    $("conflict").hidden = true;
    save();
  });
  const theirs = button(t("Take theirs"), () => location.reload());
  const lines = answer.changes.map((change) => make("p", { class: "change" }, change));
  $("conflict").replaceChildren(make("p", { class: "warn" }, t("Somebody saved this profile meanwhile. Nothing of yours is lost; theirs is kept as a version.")), ...lines, make("div", { class: "options" }, mine, theirs));
  $("conflict").hidden = false;
  $("conflict").scrollIntoView({ block: "nearest" });
}

async function restore(number) {
  const answer = await ask(`${path()}/restore`, { method: "POST", body: { number, base } });
  if (answer.ok) location.reload();
  else say(answer.message, true);
}

async function sign() {
  const answer = await ask(`${path()}/sign`, { method: "POST", body: { base } });
  if (answer.ok) location.reload();
  else say(answer.message, true);
}

// ---------------------------------------------------------------- beginning

async function open() {
  const query = `?room=${encodeURIComponent(room)}`;
  [pools, prompts, zones] = await Promise.all([call(`/api/v1/pools${query}`), call(`/api/v1/prompts${query}`), call(`/api/v1/design/rooms/${encodeURIComponent(room)}/zones`)]);
  const source = design || copy;
  if (!source) {
    data = EMPTY();
    return null;
  }
  const found = await call(at(`/api/v1/design/profiles/${encodeURIComponent(source)}`));
  data = found.data;
  if (copy && !design) {
    data = { ...data, profile: "", title: t("{name}, copy", { name: data.title }), status: "unreviewed" };
    delete data.reviewed_by;
    data.profile = idFrom(data.title);
    return null;
  }
  ({ base, signatures } = found);
  const origins = { shipped: t("shipped: saving makes a copy that takes its place"), site: t("the clinic's file {file}", { file: found.file }), designed: t("made here") };
  $("origin").textContent = origins[found.origin] ?? "";
  return found.checked;
}

async function load() {
  try {
    const checked = await open();
    stage.readOnly = !mayDesign;
    $("title").textContent = data.title || t("A new profile");
    showWhole();
    redraw();
    choose(0);
    showSigning();
    if (checked) showChecked(checked);
    else check();
    if (base) showVersions($("versions"), path(), mayDesign ? restore : null);
    const saved = new URLSearchParams(location.search).get("saved");
    if (saved) say(t("Saved."));
    document.body.dataset.ready = "yes";
  } catch (error) {
    say(error.message, true);
  }
}

stage.addEventListener("phase", (event) => event.detail !== chosen && choose(event.detail));
stage.addEventListener("minutes", (event) => {
  const phase = data.phases[event.detail.index];
  if (phase.minutes === event.detail.minutes) return;
  put(phase, "minutes", event.detail.minutes);
  showTabs();
  stage.chosen = chosen;
});
stage.addEventListener("brightness", (event) => {
  put(data.phases[event.detail.index].light, "brightness_percent", event.detail.percent);
  stage.chosen = chosen;
});
stage.addEventListener("settled", () => showPhase());
const keys = { savekey: save, addphase: addPhase, earlier: () => movePhase(-1), later: () => movePhase(1), removephase: removePhase, sign };
for (const [name, act] of Object.entries(keys)) $(name)?.addEventListener("click", act);

load();
