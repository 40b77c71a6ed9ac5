// The designs of a room: its profiles and presets, new ones, and what comes from another clinic.

import { ask, showFaults } from "/static/design.js";
import { call } from "/static/shell.js";
import { make, t } from "/static/words.js";

const $ = (id) => document.getElementById(id);
const { room, may } = document.body.dataset;
const query = `?room=${encodeURIComponent(room)}`;
const page = (kind, search) => `/design/rooms/${encodeURIComponent(room)}/${kind}?${new URLSearchParams(search)}`;

function line(kind, item) {
  const state = kind === "profile" ? `${item.detail}${item.reviewed ? "" : ` · ${t("unreviewed")}`}` : item.detail;
  const words = make("span", {}, make("strong", {}, item.title), make("br"), make("span", { class: "dim" }, state));
  const open = make("a", { class: "button", href: page(kind, { id: item.name }) }, may === "yes" ? t("Open") : t("Look at"));
  open.setAttribute("aria-label", t("Open {name}", { name: item.title }));
  open.dataset.open = item.name;
  const made = make("li", {}, words, open);
  if (may === "yes") {
    const copy = make("a", { class: "button", href: page(kind, { copy: item.name }) }, t("Copy"));
    copy.setAttribute("aria-label", t("Make a copy of {name}", { name: item.title }));
    made.append(copy);
  }
  if (kind === "profile" && may === "yes") {
    const take = make("a", { class: "button", href: `/api/v1/design/profiles/${encodeURIComponent(item.name)}/export${query}`, download: `${item.name}.zip` }, t("Take along"));
    take.setAttribute("aria-label", t("Take {name} along as a file", { name: item.title }));
    made.append(take);
  }
  return made;
}

async function load() {
  try {
    const [profiles, presets] = await Promise.all([call(`/api/v1/profiles${query}`), call(`/api/v1/presets${query}`)]);
    $("profiles").replaceChildren(...profiles.map((item) => line("profile", item)));
    $("presets").replaceChildren(...presets.map((item) => line("preset", item)));
    document.body.dataset.ready = "yes";
  } catch (error) {
    $("said").textContent = error.message;
  }
}

$("bringin")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = $("file").files;
  if (!file) return;
  const search = new URLSearchParams({ room, as_id: $("asid").value.trim() });
  const answer = await ask(`/api/v1/design/profiles?${search}`, { method: "POST", raw: file });
  showFaults($("infaults"), answer.problems ?? [], [], null);
  $("infaults").hidden = !answer.problems?.length;
  $("said").classList.toggle("warn", !answer.ok);
  if (!answer.ok) {
    $("said").textContent = answer.message;
    return;
  }
  const { profile, presets, left_out: left } = answer.answer;
  const parts = [];
  if (profile) parts.push(t("Brought in: {names}.", { names: [profile, ...presets].join(", ") }));
  else parts.push(t("Brought in: {names}.", { names: presets.join(", ") || "–" }));
  if (left.length) parts.push(t("Left out, since there are presets of this name: {names}.", { names: left.join(", ") }));
  $("said").textContent = parts.join(" ");
  load();
});

load();
