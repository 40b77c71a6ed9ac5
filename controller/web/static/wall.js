// The wall: asks every two seconds, shows what it was told, and says quietly when it was told nothing.
import { clockTime, make, t } from "./words.js";

const EVERY_MS = 2000;
const rooms = document.getElementById("rooms");
const link = document.getElementById("link");
const STAGES = {
  none: () => t("Free"), running: () => t("In session"), held: () => t("In session, on hold"),
  asking: () => t("Waits for the therapist"), ended: () => t("Session ended"),
};
let told = "";
let since = Date.now();

function stage(room) {
  if (room.link === "offline") return t("Switched off or cut off");
  if (room.link === "silent") return t("Nothing heard from it lately");
  return STAGES[room.session]();
}

function card(room) {
  const busy = room.link === "online" && room.planned_end_ms !== null;
  const lines = [make("h2", { textContent: room.title }), make("p", { class: "stage", textContent: stage(room) })];
  if (busy) lines.push(make("p", { textContent: room.phase }), make("p", { textContent: t("ends about {time}", { time: clockTime(room.planned_end_ms) }) }));
  for (const fault of room.faults) lines.push(make("p", { class: "warn", textContent: fault }));
  return make("li", { class: busy ? "busy" : room.link === "online" ? "" : "lost" }, ...lines);
}

function draw(wall) {
  since = Date.now();
  link.textContent = wall.problem || "";
  const now = JSON.stringify(wall.rooms);
  if (now === told) return;
  told = now;
  rooms.replaceChildren(...wall.rooms.map(card));
}

async function ask() {
  try {
    const answer = await fetch("/api/v1/wall", { signal: AbortSignal.timeout(EVERY_MS * 2) });
    if (!answer.ok) throw new Error(String(answer.status));
    draw(await answer.json());
  } catch {
    if (Date.now() - since > EVERY_MS * 3) link.textContent = t("No link since {time}: this may be old.", { time: clockTime(since) });
  }
  setTimeout(ask, EVERY_MS);
}

ask();
