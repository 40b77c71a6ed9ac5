// The room check: begin it, watch its lines settle, answer what only a person can. Nothing moves but what has news.

import { call } from "/static/shell.js";
import { icon, language, make, t } from "/static/words.js";

const LOOK_MS = 700;
const $ = (id) => document.getElementById(id);
const room = document.body.dataset.room;
const path = `/api/v1/rooms/${encodeURIComponent(room)}/check`;
const GROUPS = {
  lamps: () => t("Lamps"), sound: () => t("Sound"), music: () => t("Music"), mqtt: () => t("Prompts"),
  tablets: () => t("Tablets"), machine: () => t("This machine"),
};
const OUTCOMES = {
  waiting: () => t("waiting"), trying: () => t("being tried"), asking: () => t("asks"),
  passed: () => t("passed"), failed: () => t("failed"), skipped: () => t("skipped"),
};
const ICONS = { passed: "check", failed: "close", asking: "notes", trying: "more" };
let drawn = "";
let structure = "";
let asked = "";

const settled = (line) => ["passed", "failed", "skipped"].includes(line.outcome);
const words = (line) => (line.sentence ? t(line.sentence, line.fields) : "");

/** What a line says: its own sentence where that says what was found, else what it is about as well. */
function whole(line) {
  const found = ["passed", "failed"].includes(line.outcome) && line.sentence !== "no answer within two minutes";
  if (found) return words(line);
  return words(line) ? `${t(line.what)}: ${words(line)}` : t(line.what);
}

function mark(line) {
  return ICONS[line.outcome] ? icon(ICONS[line.outcome]) : make("span", { class: "dash", "aria-hidden": "true" }, line.outcome === "skipped" ? "–" : "·");
}

function fill(item, line) {
  if (item.dataset.outcome === line.outcome && item.dataset.said === words(line)) return;
  item.dataset.outcome = line.outcome;
  item.dataset.said = words(line);
  const said = make("span", { class: "said" }, whole(line));
  const hidden = make("span", { class: "sr" }, `${OUTCOMES[line.outcome]()}. `);
  item.replaceChildren(mark(line), make("span", {}, hidden, said));
}

function item(line) {
  const found = make("li");
  found.dataset.line = line.id;
  return found;
}

/** Lay the lines out once: lamps as cards of their own, the other groups as lists. */
function layOut(lines) {
  const groups = [...new Set(lines.map((line) => line.group))];
  const nodes = groups.map((group) => {
    const mine = lines.filter((line) => line.group === group);
    const subjects = [...new Set(mine.map((line) => line.subject))];
    const cards = subjects.map((subject) =>
      make("div", { class: "card" }, make("h3", {}, t(subject)), make("ul", { class: "lines" }, ...mine.filter((line) => line.subject === subject).map(item))),
    );
    const title = make("h2", { id: `g-${group}` }, GROUPS[group]?.() ?? group);
    const panel = make("section", { class: `panel${group === "lamps" ? " wide" : ""}`, "aria-labelledby": `g-${group}` }, title, make("div", { class: "cards" }, ...cards));
    return panel;
  });
  $("groups").replaceChildren(...nodes);
}

function draw(view) {
  const now = JSON.stringify(view);
  if (now === drawn) return;
  drawn = now;
  const ids = view.lines.map((line) => line.id).join(" ");
  if (ids !== structure) {
    structure = ids;
    layOut(view.lines);
  }
  for (const line of view.lines) fill(document.querySelector(`[data-line="${CSS.escape(line.id)}"]`), line);
  ask(view.lines.find((line) => line.outcome === "asking"));
  $("running").hidden = !view.running;
  $("begin").hidden = view.running;
  $("result").hidden = view.running || !view.lines.length;
  if (view.running) progress(view);
  else if (view.lines.length) result(view);
}

function progress(view) {
  const done = view.lines.filter(settled).length;
  $("progress").textContent = t("{done} of {all} lines", { done, all: view.lines.length });
  $("bar").max = view.lines.length;
  $("bar").value = done;
}

function result(view) {
  const count = (outcome) => view.lines.filter((line) => line.outcome === outcome).length;
  const when = new Date(view.ended_at_ms).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
  const failed = view.lines.filter((line) => line.outcome === "failed");
  const head = failed.length ? t("Not ready: {n} to look at", { n: failed.length }) : t("The room is ready");
  const sums = t("{passed} passed, {failed} failed, {skipped} skipped", { passed: count("passed"), failed: failed.length, skipped: count("skipped") });
  $("sum").replaceChildren(head, make("br"), make("small", { class: "dim" }, `${sums} · ${when}`));
  const rows = failed.map((line) => {
    const row = make("li", {}, icon("close"), make("span", {}, `${t(line.subject)}: `, make("span", { class: "said" }, words(line))));
    row.dataset.outcome = "failed";
    return row;
  });
  $("failed").replaceChildren(...rows);
}

function ask(line) {
  $("question").hidden = !line;
  if (!line) {
    asked = "";
    return;
  }
  if (asked === line.id) return;
  asked = line.id;
  $("asked").textContent = words(line);
  for (const key of document.querySelectorAll("[data-answer]")) key.setAttribute("aria-disabled", "false");
}

async function send(method, where, body) {
  $("said").textContent = "";
  try {
    const view = await call(where, { method, body });
    if (view) draw(view);
  } catch (error) {
    $("said").textContent = error.message;
  }
}

for (const key of document.querySelectorAll("[data-answer]")) {
  key.addEventListener("click", () => {
    if (!asked || key.getAttribute("aria-disabled") === "true") return;
    for (const each of document.querySelectorAll("[data-answer]")) each.setAttribute("aria-disabled", "true");
    send("POST", `${path}/answers`, { line: asked, answer: key.dataset.answer });
  });
}

$("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  send("POST", path, { profile: form.get("profile") || null, ask: form.has("ask") });
});
$("stop").addEventListener("click", () => send("DELETE", path));

async function look() {
  try {
    draw(await call(path));
    if ($("said").dataset.lost) $("said").textContent = "";
    delete $("said").dataset.lost;
  } catch (error) {
    if (error.status === 401) location.assign("/pair");
    $("said").dataset.lost = "yes";
    $("said").textContent = error.status ? error.message : t("No link: this may be old.");
  }
  setTimeout(look, LOOK_MS);
}

/** Offer the profiles; the one that is booked next in this room is chosen. */
async function profiles() {
  const found = await call(`/api/v1/profiles?room=${encodeURIComponent(room)}`);
  $("profile").append(...found.map((each) => make("option", { value: each.name }, each.title)));
  const booked = (await call("/api/v1/bookings").catch(() => [])).find((booking) => booking.room === room);
  if (booked && found.some((each) => each.name === booked.profile)) $("profile").value = booked.profile;
}

look();
profiles().catch((error) => ($("said").textContent = error.message));
