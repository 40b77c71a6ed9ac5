// Rehearsing: a profile run through in the simulated room at any speed, with faults to learn from; or in the real one.

import { ask, button, numberField, selectField } from "/static/design.js";
import { newId } from "/static/link.js";
import "/static/ribbon.js";
import "/static/room.js";
import { call } from "/static/shell.js";
import { make, plain, t } from "/static/words.js";

const $ = (id) => document.getElementById(id);
const { room, profile: asked } = document.body.dataset;
const query = `?room=${encodeURIComponent(room)}`;
const POLL_MS = 250;
const SHOWN = 300;
const FAULTS = () => [["bridge-gone", t("the lamps' bridge is gone")], ["track-missing", t("a track is missing")], ["tablet-lost", t("the tablet is lost")]];

let current = null;
let faults = [];
let timer = 0;
let phases = [];

function say(words, warn = false) {
  $("said").textContent = words;
  $("said").classList.toggle("warn", warn);
}

/** Session time as hours, minutes and seconds. */
function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function showFaultFields() {
  const line = (fault, index) => {
    const kind = selectField(t("What fails"), { value: fault.kind, choices: FAULTS(), put: (value) => (fault.kind = value) });
    const at = numberField(t("after minutes"), { min: 0, max: 1440, value: fault.at_minutes, put: (n) => (fault.at_minutes = n ?? 0) });
    const lasts = numberField(t("for minutes"), { min: 0.1, max: 120, value: fault.for_minutes, put: (n) => (fault.for_minutes = n ?? 2) });
    const out = button(t("Take out"), () => (faults.splice(index, 1), showFaultFields()));
    out.setAttribute("aria-label", t("Take out fault {n}", { n: index + 1 }));
    return make("li", { class: "cueline" }, kind, at, lasts, out);
  };
  $("faults").replaceChildren(...faults.map(line));
}

async function start() {
  const form = new FormData($("plan"));
  const speed = form.get("speed");
  const body = { room, profile: $("profile").value, speed: speed === "max" ? "max" : Number(speed), faults };
  const answer = await ask("/api/v1/rehearsals", { method: "POST", body });
  if (!answer.ok) return say(answer.message, true);
  say("");
  begin(answer.answer);
  $("running").scrollIntoView({ block: "start" });
  return undefined;
}

function begin(state) {
  current = { id: state.rehearsal, next: 0 };
  $("log").replaceChildren();
  $("report").hidden = true;
  $("running").hidden = false;
  $("ribbon").plan = state.ribbon;
  ({ phases } = state.ribbon);
  show(state);
}

const NOT_WORTH_A_LINE = new Set(["override_expired"]);

function logLine(line) {
  const grave = line.kind.startsWith("fault") || line.kind === "track_failed" || line.kind === "tap_lost";
  const what = line.what ? `: ${line.what}` : "";
  return make("li", { class: grave ? "warn" : "" }, make("span", { class: "dim" }, clock(line.session_ms)), ` ${plain(line.kind)}${what}`);
}

function show(state) {
  document.body.dataset.rehearsal = state.status;
  const title = phases.find((phase) => phase.phase === state.phase)?.title ?? plain(state.phase);
  const end = Date.now() + (state.speed ? (state.length_ms - state.session_ms) / state.speed : 0);
  $("ribbon").follow({ session_ms: state.session_ms, status: "running", phase_title: title, planned_end_ms: end }, end);
  $("picture").looks = state.zones;
  const names = { running: t("running"), done: t("gone through to the end"), stopped: t("stopped"), failed: t("failed") };
  $("where").textContent = `${state.title} · ${names[state.status]} · ${clock(state.session_ms)} / ${clock(state.length_ms)} · ${title}`;
  const lines = state.lines.filter((line) => !NOT_WORTH_A_LINE.has(line.kind));
  $("log").append(...lines.map(logLine));
  while ($("log").children.length > SHOWN) $("log").firstElementChild.remove();
  if (lines.length) $("log").scrollTop = $("log").scrollHeight;
  current.next = state.next_line;
  $("stop").hidden = state.status !== "running";
  clearTimeout(timer);
  if (state.status === "running" || state.lines.length > 0) timer = setTimeout(follow, POLL_MS);
  if (state.status !== "running" && state.report) showReport(state);
}

async function follow() {
  const answer = await ask(`/api/v1/rehearsals/${current.id}?since=${current.next}`);
  if (answer.ok) show(answer.answer);
  else if (answer.status === 0) timer = setTimeout(follow, 4 * POLL_MS);
  else say(answer.message, true);
}

function showReport(state) {
  const { report } = state;
  const rows = [
    [t("Planned"), clock(report.planned_ms)],
    [t("Came to"), clock(report.ended_ms)],
    [t("Tracks"), String(report.tracks)],
    [t("Prompts and cards"), String(report.happenings.filter((line) => line.kind === "prompt_cued").length)],
    [t("Most commands to one lamp"), String(Math.max(0, ...Object.values(report.lamp_commands)))],
  ];
  $("figures").replaceChildren(...rows.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value))));
  const names = new Map(FAULTS());
  const fault = (one) => make("li", {}, make("span", {}, make("strong", {}, `${clock(one.at_ms)} ${names.get(one.kind) ?? one.kind}`), make("br"), one.outcome));
  $("outcomes").replaceChildren(...report.faults.map(fault));
  if (report.faults.length === 0) $("outcomes").append(make("li", { class: "dim" }, t("No fault was thrown in.")));
  if (state.message) $("outcomes").append(make("li", { class: "warn" }, state.message));
  $("report").hidden = false;
}

async function inRoom() {
  const speed = Number(new FormData($("real")).get("realspeed"));
  const body = { id: newId(), command: "start", profile: $("profile").value, rehearsal_speed: speed };
  const answer = await ask(`/api/v1/rooms/${encodeURIComponent(room)}/commands`, { method: "POST", body });
  if (answer.ok) location.assign(`/rooms/${encodeURIComponent(room)}/live`);
  else say(answer.message, true);
}

async function load() {
  try {
    const [profiles, zones, newest] = await Promise.all([
      call(`/api/v1/profiles${query}`),
      call(`/api/v1/design/rooms/${encodeURIComponent(room)}/zones`),
      call(`/api/v1/rehearsals${query}`),
    ]);
    for (const item of profiles) $("profile").append(make("option", { value: item.name }, `${item.title} · ${item.detail}`));
    if (asked) $("profile").value = asked;
    $("picture").zones = zones;
    if (newest) begin(newest);
    document.body.dataset.ready = "yes";
  } catch (error) {
    say(error.message, true);
  }
}

$("plan").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
$("addfault").addEventListener("click", () => {
  faults.push({ kind: FAULTS()[faults.length % 3][0], at_minutes: 5 + 5 * faults.length, for_minutes: 2 });
  showFaultFields();
});
$("stop").addEventListener("click", async () => {
  const answer = await ask(`/api/v1/rehearsals/${current.id}`, { method: "DELETE" });
  if (!answer.ok) say(answer.message, true);
});
$("real")?.addEventListener("submit", (event) => {
  event.preventDefault();
  inRoom();
});
load();
