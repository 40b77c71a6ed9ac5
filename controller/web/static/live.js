// The live page: keys to commands, state to view. Every key does the same thing wherever one is.

import { follow as followKey, say, tell } from "/static/answers.js";
import { Link } from "/static/link.js";
import * as panels from "/static/panels.js";
import { previewed, withdraw } from "/static/preview.js";
import { call, stayAwake } from "/static/shell.js";
import "/static/slider.js";
import { draw, drawLink } from "/static/view.js";
import { clockTime, t } from "/static/words.js";

const HOLD_MS = 1000;

const room = document.body.dataset.room;
const link = new Link(`/api/v1/rooms/${encodeURIComponent(room)}/live`);
const ribbon = document.getElementById("ribbon");
const keyOf = (name) => document.querySelector(`[data-key="${name}"]`);
const session = () => link.state?.session ?? null;

function run(name, command, key) {
  return followKey(name, key, link.send(command));
}

// ---------------------------------------------------------------- keys

const trim = (name, direction) => (key) => run(t(name), { command: "light_trim", trim: direction }, key);
const sceneKey = (name, scene) => (key) => {
  const on = session()?.scenes.includes(scene);
  return run(on ? t("{name} off", { name }) : name, on ? { command: "scene_release", scene } : { command: "scene", scene }, key);
};
const panel = (name) => () => panels.show(panels.opened() === name ? null : name);

const isHeld = () => ["held", "asking"].includes(session()?.status);

const KEYS = {
  undo: (key) => run(t("Undo"), { command: "undo" }, key),
  quieter: (key) => run(t("Quieter"), { command: "volume_trim", db: -2 }, key),
  louder: (key) => run(t("Louder"), { command: "volume_trim", db: 2 }, key),
  skip: (key) => run(t("Skip track"), { command: "skip_track" }, key),
  silence: (key) => {
    const silent = link.state?.music.state === "silence";
    return run(silent ? t("Sound") : t("Silence"), { command: silent ? "sound" : "silence" }, key);
  },
  dimmer: trim("Dimmer", "dimmer"),
  brighter: trim("Brighter", "brighter"),
  warmer: trim("Warmer", "warmer"),
  cooler: trim("Cooler", "cooler"),
  path: sceneKey(t("Path"), "path"),
  shades: (key) => run(t("Eyeshades"), { command: "eyeshades", on: !session()?.eyeshades }, key),
  phones: (key) => run(t("Headphones"), { command: "headphones", on: !session()?.headphones }, key),
  lights: panel("lights"),
  music: panel("music"),
  prompts: panel("prompts"),
  notes: panel("notes"),
  more: panel("more"),
};

/** What moves the plan: each key's name and its command as it would be now. */
const PLAN_KEYS = {
  hold: () => (isHeld() ? [t("Resume"), { command: "resume" }] : [t("Hold"), { command: "hold" }]),
  plus: () => [t("+10 min"), { command: "extend", minutes: 10 }],
  next: () => [t("Next phase"), { command: "next_phase" }],
};

for (const [name, act] of Object.entries(KEYS)) {
  const key = keyOf(name);
  key.addEventListener("click", () => {
    if (key.getAttribute("aria-disabled") !== "true") act(key);
  });
}

/** Let a key show its change of the plan while it is pressed; `what` gives its name and command. */
function planKey(key, what) {
  const command = () => (session() && session().status !== "ended" ? what()[1] : null);
  previewed(key, command, () => run(...what(), key), { link, ribbon });
}

for (const [name, what] of Object.entries(PLAN_KEYS)) planKey(keyOf(name), what);
for (const back of document.querySelectorAll(".back")) back.addEventListener("click", () => panels.show(null));
addEventListener("keydown", (event) => event.key === "Escape" && (panels.show(null), withdraw(ribbon)));

/** A key that must be held for a second; `short` is what a short tap does. */
function heldKey(key, act, short) {
  let timer = 0;
  let done = false;
  const start = () => {
    if (timer) return;
    done = false;
    key.classList.add("holding");
    timer = setTimeout(() => {
      done = true;
      key.classList.remove("holding");
      act(key);
    }, HOLD_MS);
  };
  const stop = (event) => {
    clearTimeout(timer);
    if (timer && !done && event.type !== "pointercancel" && event.type !== "blur") short(key);
    timer = 0;
    key.classList.remove("holding");
  };
  key.addEventListener("pointerdown", (event) => {
    key.setPointerCapture(event.pointerId);
    start();
  });
  for (const end of ["pointerup", "pointercancel"]) key.addEventListener(end, stop);
  key.addEventListener("contextmenu", (event) => event.preventDefault());
  key.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (!event.repeat) start();
  });
  key.addEventListener("keyup", (event) => (event.key === "Enter" || event.key === " ") && stop(event));
  key.addEventListener("blur", stop);
}

heldKey(
  keyOf("help"),
  sceneKey(t("Help light"), "help"),
  (key) => (session()?.scenes.includes("help") ? sceneKey(t("Help light"), "help")(key) : say(t("Help light: hold for one second"))),
);
const endKey = document.getElementById("end");
const endAnyway = document.getElementById("endanyway");
heldKey(
  endKey,
  async (key) => {
    const { outcome } = await run(t("End the session"), { command: "end" }, key);
    endAnyway.hidden = outcome !== "refused";
  },
  () => say(t("End the session: hold for one second")),
);
endAnyway.addEventListener("click", () => run(t("End anyway"), { command: "end", anyway: true }, endAnyway));

// ---------------------------------------------------------------- panels and cells

const actions = {
  drag: (command, channel) => {
    const sent = link.send(command, channel);
    sent.then((result) => result.outcome !== "applied" && result.outcome !== "superseded" && tell(t("Slider"), result));
    return sent;
  },
  releaseZone: (zone, key) => run(t("Give back"), { command: "light_release", zone }, key),
  releaseSound: (key) => run(t("Give back"), { command: "sound_release" }, key),
  cardDone: (id, key) => run(t("Card"), { command: "prompt_ack", prompt_id: id, result: "dismissed" }, key),
  cueLater: (cue, key) => run(t("5 min later"), { command: "prompt_defer", cue, minutes: 5 }, key),
  mood: (pool, key) => run(pool.title, { command: "mood", pool: pool.name }, key),
  prompt: (prompt, key) => run(prompt.title, { command: "prompt", prompt: prompt.name }, key),
  preset: (preset, key) => sceneKey(preset.title, preset.name)(key),
  gotoPhase: (phase, key) => planKey(key, () => [phase.title, { command: "goto_phase", phase: phase.phase }]),
  anchor: (anchor, name, key) => planKey(key, () => [name, { command: "anchor", anchor }]),
};

for (const chip of document.querySelectorAll("[data-chip]")) {
  chip.addEventListener("click", () => run(chip.textContent, { command: "note", chip: chip.dataset.chip }, chip));
}
const note = document.getElementById("note");
const saveNote = document.getElementById("savenote");
saveNote.addEventListener("click", async () => {
  const text = note.value.trim();
  if (!text) return;
  const { outcome } = await run(t("Note"), { command: "note", text }, saveNote);
  if (outcome === "applied" && note.value.trim() === text) note.value = "";
});

// ---------------------------------------------------------------- state to view

function label(name, words, sign) {
  const key = keyOf(name);
  const part = key.querySelector(".label");
  if (key.classList.contains("offer")) return; // it says what it would do
  if (part.textContent !== words) part.textContent = words;
  if (sign) key.querySelector("use").setAttribute("href", `/static/icons.svg#${sign}`);
}

function press(name, on) {
  keyOf(name).setAttribute("aria-pressed", String(Boolean(on)));
}

function drawKeys(state) {
  const now = state.session;
  const held = isHeld();
  label("hold", held ? t("Resume") : t("Hold"), held ? "resume" : "hold");
  press("hold", held);
  const silent = state.music.state === "silence";
  label("silence", silent ? t("Sound") : t("Silence"), silent ? "sound" : "silence");
  press("silence", silent);
  label("shades", now?.eyeshades ? t("Eyeshades on") : t("Eyeshades off"));
  press("shades", now?.eyeshades);
  label("phones", now?.headphones ? t("Headphones on") : t("Headphones off"));
  press("phones", now?.headphones);
  press("path", now?.scenes.includes("path"));
  press("help", now?.scenes.includes("help"));
  keyOf("undo").setAttribute("aria-disabled", String(!now?.undo));
}

let planShown = "";
async function drawPlan(state) {
  const plan = state.session?.phases.map((phase) => `${phase.phase} ${phase.start_ms} ${phase.length_ms}`).join();
  const shown = state.session ? `${state.session.session_id} ${plan} ${state.session.anchors}` : "";
  if (shown === planShown) return;
  planShown = shown;
  try {
    const found = shown ? await call(`/api/v1/rooms/${encodeURIComponent(room)}/ribbon`) : null;
    if (planShown !== shown) return;
    ribbon.plan = found;
    ribbon.follow(state.session, state.now_ms);
  } catch {
    planShown = ""; // asked again with the next state
  }
}

link.addEventListener("state", () => {
  const state = link.state;
  draw(state, actions);
  drawKeys(state);
  panels.follow(state, actions);
  ribbon.follow(state.session, state.now_ms);
  drawPlan(state);
});
link.addEventListener("health", () => drawLink(link));
link.addEventListener("corrected", (event) => event.detail.command.dry_run || tell(t("Late answer"), event.detail));
link.addEventListener("shut", (event) => location.assign(event.detail === 4401 ? "/pair" : "/"));

panels.load(room, actions);
stayAwake();
