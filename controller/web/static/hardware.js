// The hardware page: lamps, bridges, sound, broker, machine, as they are; drawn anew where something changed.

import { bridge } from "/static/hardware_bridges.js";
import { call } from "/static/shell.js";
import { make, t } from "/static/words.js";

const EVERY_MS = 3000;
const $ = (id) => document.getElementById(id);
const room = encodeURIComponent(document.body.dataset.room);
const shown = new Map();

/** Draw a part once, and again only when what it shows has changed. */
function draw(id, value, nodes) {
  const now = JSON.stringify(value);
  if (shown.get(id) === now) return;
  shown.set(id, now);
  $(id).replaceChildren(...nodes());
}

/** Carry a key's request out; it waits meanwhile, and says in one line what went wrong. */
async function press(key, waiting, path) {
  if (key.getAttribute("aria-disabled") === "true") return;
  const words = key.textContent;
  key.setAttribute("aria-disabled", "true");
  key.textContent = waiting;
  $("said").textContent = "";
  try {
    await call(path, { method: "POST" });
  } catch (error) {
    $("said").textContent = error.message;
  }
  key.textContent = words;
  key.setAttribute("aria-disabled", "false");
}

const SHOWS = { colours: () => t("colours"), whites: () => t("whites"), one_white: () => t("one white") };

function lamp(found) {
  const swatch = make("span", { class: "swatch" });
  swatch.style.setProperty("background-color", found.swatch);
  const level = `${found.brightness_percent.toFixed(found.brightness_percent < 10 ? 1 : 0)} %`;
  const state = !found.known ? t("its bridge has not answered yet") : found.reachable ? `${level} · ${SHOWS[found.shows]()}` : t("does not answer");
  const well = found.known && found.reachable;
  const name = make("span", {}, found.name, make("small", { class: well ? "dim" : "warn" }, state));
  const find = make("button", { type: "button", class: "small" }, t("Find"));
  find.setAttribute("aria-label", t("Let {name} blink gently", { name: found.name }));
  find.dataset.blink = found.fixture;
  find.addEventListener("click", () => press(find, t("look …"), `/api/v1/rooms/${room}/lamps/${encodeURIComponent(found.fixture)}/blink`));
  const cut = found.power_on_ok === true ? t("comes back as it was after a power cut") : t(found.power_on);
  return make("li", {}, swatch, name, find, make("small", { class: `more ${found.power_on_ok === false ? "warn" : "dim"}` }, cut));
}

function lamps(found) {
  const zones = [...new Set(found.map((each) => each.zone))];
  return zones.flatMap((zone) => [
    make("h3", {}, zone),
    make("ul", { class: "rows" }, ...found.filter((each) => each.zone === zone).map(lamp)),
  ]);
}

function facts(pairs) {
  return make("dl", { class: "facts" }, ...pairs.flatMap(([name, value, kind]) => [make("dt", {}, name), make("dd", { class: kind ?? "" }, value)]));
}

const OUTPUTS = { speakers: () => t("Loudspeakers"), headphones: () => t("Headphones") };

function output(found) {
  const silence = { by_choice: t("none, by the site file"), no_device: t("this machine has no sound device") }[found.silent];
  const device = silence ?? found.device ?? found.wanted ?? t("not found yet");
  const well = found.ok && found.silent !== "no_device";
  const measured = found.k_db === null ? t("not measured: kept under a cautious cap") : t("K {k} dB{when}", { k: found.k_db, when: found.measured_on ? ` · ${found.measured_on}` : "" });
  const level = found.level_dba === null ? [] : [[t("Level now"), `${found.level_dba.toFixed(0)} dB(A)`]];
  const tone = make("button", { type: "button", class: "small" }, t("Quiet tone"));
  tone.dataset.tone = found.output;
  tone.addEventListener("click", () => press(tone, t("listen …"), `/api/v1/rooms/${room}/outputs/${found.output}/tone`));
  const head = make("header", {}, make("strong", {}, OUTPUTS[found.output]()), ...(found.silent === "no" ? [tone] : []));
  const lines = [[t("Device"), device, well ? "" : "warn"], ...level];
  if (found.silent === "no") lines.push([t("Calibration"), measured, found.k_db === null ? "warn" : ""]);
  if (found.problem) lines.push([t("Not well"), found.problem, "warn"]);
  return make("div", { class: "unit" }, head, facts(lines));
}

function broker(found) {
  const devices = found.devices.length ? found.devices.map((each) => (each.online ? each.name : t("{name} (off)", { name: each.name }))).join(", ") : t("none has been seen");
  const users = found.users === null ? (found.embedded ? t("nobody needs a password: it serves this machine alone") : t("as the site file says")) : found.users.join(", ");
  return [
    facts([
      [t("State"), found.up ? t("linked") : (found.problem ?? t("does not answer")), found.up ? "" : "warn"],
      [t("Address"), `${found.address} · ${found.embedded ? t("the broker in Stillroom") : t("the site's own")}${found.encrypted ? " · TLS" : ""}`],
      [t("Prompt devices"), devices],
      [t("Users"), users],
    ]),
  ];
}

function machine(found, tablets) {
  const clock = found.clock_problem ?? (found.clock_synchronised === null ? t("it does not say whether a time server sets it") : found.clock_synchronised ? t("set by the network") : t("no time server sets it"));
  const free = t("{free} of {total} GB free", { free: (found.disk_free_bytes / 1e9).toFixed(1), total: (found.disk_total_bytes / 1e9).toFixed(0) });
  const certificate = found.certificate_problem ?? (found.certificate ? t("until {day}", { day: found.certificate.valid_until }) : t("none: pages are served without one"));
  return [
    facts([
      [t("Clock"), `${found.local_time} · ${clock}`, found.clock_synchronised === false || found.clock_problem ? "warn" : ""],
      [t("Disk"), free, found.disk_free_bytes < 2 ** 30 ? "warn" : ""],
      [t("Certificate"), certificate, found.certificate_problem || found.certificate?.days_left < 30 ? "warn" : ""],
      [t("Tablets"), t("{n} paired, {seen} here lately", { n: tablets.paired, seen: tablets.seen_lately })],
    ]),
  ];
}

async function look() {
  try {
    const found = await call(`/api/v1/rooms/${room}/hardware`);
    draw("lamps", found.lamps, () => lamps(found.lamps));
    for (const each of found.bridges) bridge($("bridges"), each);
    draw("outputs", found.outputs, () => found.outputs.map(output));
    draw("broker", found.broker, () => broker(found.broker));
    draw("machine", [found.machine, found.tablets], () => machine(found.machine, found.tablets));
    $("said").dataset.old = "";
  } catch (error) {
    if (error.status === 401) location.assign("/pair");
    $("said").textContent = error.status ? error.message : t("No link: this may be old.");
  }
}

async function watch() {
  if (document.visibilityState === "visible" && !document.querySelector("[data-blink][aria-disabled=true], [data-tone][aria-disabled=true]")) await look();
  setTimeout(watch, EVERY_MS);
}

async function devices() {
  const names = await call(`/api/v1/rooms/${room}/hardware/devices`);
  $("devices").textContent = names.length ? t("This machine's outputs, as a site file may name them: {names}", { names: names.join(" · ") }) : t("This machine lists no sound outputs.");
}

watch();
devices().catch((error) => ($("devices").textContent = error.message));
