// The room's page: choose a session, see its plan, agree what is agreed, start.

import { newId } from "/static/link.js";
import "/static/ribbon.js";
import { call } from "/static/shell.js";
import { language, make, plain, t } from "/static/words.js";

const $ = (id) => document.getElementById(id);
const room = document.body.dataset.room;
const base = `/api/v1/rooms/${encodeURIComponent(room)}`;
const query = `?room=${encodeURIComponent(room)}`;
const mayStart = document.body.dataset.role === "therapist";
const start = $("start");
let chosen = null;

async function choose(profile, button) {
  chosen = profile;
  for (const each of $("profiles").children) each.setAttribute("aria-pressed", String(each === button));
  $("about").textContent = profile.reviewed ? profile.detail : `${profile.detail} · ${t("unreviewed: no clinic has signed it yet")}`;
  start.textContent = t("Start {name}", { name: profile.title });
  start.setAttribute("aria-disabled", String(!mayStart));
  $("bookit")?.setAttribute("aria-disabled", "false");
  $("ribbon").hidden = false;
  try {
    const plan = await call(`${base}/ribbon?profile=${encodeURIComponent(profile.name)}`);
    if (chosen === profile) $("ribbon").plan = plan;
  } catch {
    $("ribbon").hidden = true; // the words above say what it is
  }
}

function offer(profile) {
  const detail = profile.reviewed ? profile.detail : `${profile.detail} · ${t("unreviewed")}`;
  const button = make("button", { type: "button" }, make("strong", {}, profile.title), make("span", { class: "dim" }, detail));
  button.dataset.profile = profile.name;
  button.addEventListener("click", () => choose(profile, button));
  return button;
}

function sheet(form) {
  const fields = new FormData(form);
  return {
    touch: fields.get("touch"),
    excluded_pools: fields.getAll("excluded"),
    words_allowed: fields.has("words_allowed"),
    eyeshades_planned: fields.has("eyeshades_planned"),
    headphones_planned: fields.has("headphones_planned"),
    intention: fields.get("intention").trim(),
  };
}

$("sheet").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!chosen || start.getAttribute("aria-disabled") === "true") return;
  start.setAttribute("aria-disabled", "true");
  try {
    await call(`${base}/sheet`, { method: "POST", body: sheet(event.target) });
    await call(`${base}/commands`, { method: "POST", body: { id: newId(), command: "start", profile: chosen.name } });
    location.assign(`/rooms/${encodeURIComponent(room)}/live`);
  } catch (error) {
    $("said").textContent = error.message;
    start.setAttribute("aria-disabled", "false");
  }
});

async function bookings() {
  if (!$("booked")) return;
  const found = (await call("/api/v1/bookings")).filter((booking) => booking.room === room);
  const line = (booking) => {
    const time = new Date(booking.at).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
    const words = make("span", {}, `${time} · ${plain(booking.profile)}`);
    if (!mayStart) return make("li", {}, words);
    const cancel = make("button", { type: "button" }, t("Cancel"));
    cancel.setAttribute("aria-label", t("Cancel the booking of {time}", { time }));
    cancel.addEventListener("click", () => settle(call(`/api/v1/bookings/${encodeURIComponent(booking.booking_id)}`, { method: "DELETE" })));
    return make("li", {}, words, cancel);
  };
  const none = () => make("li", { class: "dim" }, t("Nothing is booked."));
  $("booked").replaceChildren(...(found.length ? found.map(line) : [none()]));
}

/** Wait for a change of the calendar, then show what is booked, or why not. */
async function settle(change) {
  try {
    await change;
    await bookings();
    $("booksaid").textContent = "";
  } catch (error) {
    $("booksaid").textContent = error.message;
  }
}

$("book")?.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!chosen) return;
  const at = new Date(event.target.elements.at.value).toISOString();
  settle(call("/api/v1/bookings", { method: "POST", body: { room, profile: chosen.name, at } }));
});

async function load() {
  try {
    const [state, profiles, pools] = await Promise.all([call(base), call(`/api/v1/profiles${query}`), call(`/api/v1/pools${query}`)]);
    $("profiles").replaceChildren(...profiles.map(offer));
    const tick = (pool) => make("label", { class: "tick" }, make("input", { type: "checkbox", name: "excluded", value: pool.name }), pool.title || plain(pool.name));
    $("pools").replaceChildren(...pools.map(tick));
    const running = state.session && state.session.status !== "ended";
    $("running").hidden = !running;
    $("sheet").hidden = Boolean(running) || !mayStart;
    if (running) {
      $("running").replaceChildren(
        make("a", { class: "button chosen", href: `/rooms/${encodeURIComponent(room)}/live` }, t("{name} is running: go to the live page", { name: state.session.title })),
      );
    }
  } catch (error) {
    $("said").textContent = error.message;
    if (error.status === 401) location.assign("/pair");
  }
}

load();
if ($("booked")) settle();
