// Set-up: what is not well, which lamps answer, who is paired.

import { call } from "/static/shell.js";
import { make, t } from "/static/words.js";

const $ = (id) => document.getElementById(id);
const said = $("said");

async function health() {
  const response = await fetch("/healthz");
  const { ok, reasons } = await response.json();
  const lines = ok ? [make("li", {}, t("Everything is well"))] : reasons.map((reason) => make("li", { class: "warn" }, reason));
  $("health").replaceChildren(...lines);
}

async function lamps() {
  const found = [];
  for (const room of await call("/api/v1/rooms")) {
    const state = await call(`/api/v1/rooms/${encodeURIComponent(room.room)}`);
    const items = state.lamps.map((lamp) => {
      const swatch = make("span", { class: "swatch" });
      swatch.style.setProperty("background-color", lamp.swatch);
      const how = lamp.reachable ? lamp.zone : t("does not answer");
      return make("li", {}, swatch, make("span", {}, lamp.name, make("br"), make("span", { class: lamp.reachable ? "dim" : "warn" }, how)));
    });
    found.push(make("h3", {}, room.title), make("ul", { class: "lamps" }, ...items));
  }
  $("lamps").replaceChildren(...found);
}

async function devices() {
  if (!$("devices")) return;
  const rows = (await call("/api/v1/devices")).map((device) => {
    const remove = make("button", { type: "button" }, t("Take back"));
    remove.setAttribute("aria-label", t("Take back the pairing of {name}", { name: device.name }));
    remove.addEventListener("click", async () => {
      await call(`/api/v1/devices/${device.token_id}`, { method: "DELETE" });
      await devices();
    });
    return make("li", {}, make("span", {}, `${device.name} · ${t(device.role)}`), remove);
  });
  $("devices").replaceChildren(...rows);
}

$("newpin")?.addEventListener("click", async () => {
  await call("/api/v1/pin", { method: "POST" });
  said.textContent = t("There is a new PIN on the room's screen.");
});
$("unpair").addEventListener("click", async () => {
  await call("/api/v1/unpair", { method: "POST" });
  location.assign("/pair");
});

for (const part of [health, lamps, devices]) part().catch((error) => (said.textContent = error.message));
