// Past sessions, and one session's records in order.

import { call } from "/static/shell.js";
import { clockTime, language, make, plain, span, t } from "/static/words.js";

const $ = (id) => document.getElementById(id);
const { room, session } = document.body.dataset;
const query = `?room=${encodeURIComponent(room)}`;

const HIDDEN = new Set(["kind", "score", "scene", "sheet"]);

function values(body) {
  return Object.entries(body)
    .filter(([name, value]) => !HIDDEN.has(name) && value !== null && typeof value !== "object" && value !== "")
    .map(([name, value]) => `${plain(name)} ${value}`)
    .join(", ");
}

function row(record) {
  const time = new Date(record.at_ms).toLocaleTimeString(language);
  const what = make("td", {}, plain(record.body.kind), make("br"), make("span", { class: "dim" }, values(record.body)));
  return make("tr", {}, make("td", {}, time), what, make("td", {}, record.by));
}

function line(found) {
  const day = new Date(found.started_at_ms).toLocaleDateString(language, { dateStyle: "medium" });
  const length = found.ended_at_ms ? span(found.ended_at_ms - found.started_at_ms) : t("running");
  const detail = `${day}, ${clockTime(found.started_at_ms)} · ${length}${found.unreviewed ? ` · ${t("unreviewed")}` : ""}`;
  const words = make("span", {}, found.title, make("br"), make("span", { class: "dim" }, detail));
  return make("li", {}, words, make("a", { class: "button", href: `/rooms/${encodeURIComponent(room)}/sessions/${encodeURIComponent(found.session_id)}` }, t("What happened")));
}

async function load() {
  try {
    if (session) {
      const records = await call(`/api/v1/sessions/${encodeURIComponent(session)}/report${query}`);
      $("records").replaceChildren(...records.map(row));
      if (records.length === 0) $("said").textContent = t("Nothing is recorded yet.");
    } else {
      const found = await call(`/api/v1/sessions${query}`);
      $("sessions").replaceChildren(...found.map(line));
      if (found.length === 0) $("said").textContent = t("No session has been yet.");
    }
  } catch (error) {
    $("said").textContent = error.message;
  }
}

load();
