// What the designer's pages share: calls with their faults, fields, the list of versions, a name from a title.

import { call } from "/static/shell.js";
import { language, make, t } from "/static/words.js";

/** Call the designer's API; returns {ok, answer} or {status, message, problems, changes, theirs}. */
export async function ask(path, { method = "GET", body, raw } = {}) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  if (raw !== undefined) options.body = raw;
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    return { status: 0, message: t("No link to the room"), problems: [] };
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return { ok: true, answer };
  if (response.status === 401) location.assign("/pair");
  const detail = answer?.detail ?? answer;
  const said = typeof detail === "string" ? detail : (detail?.message ?? `HTTP ${response.status}`);
  const message = answer?.sentence ? t(answer.sentence, answer.fields) : said;
  return { status: response.status, message, problems: detail?.problems ?? [], changes: detail?.changes ?? [], theirs: detail?.theirs ?? "" };
}

/** Return an id made of a title: small letters, digits and dashes. */
export function idFrom(title) {
  const plain = title.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replaceAll("ß", "ss");
  return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 26).replace(/-+$/, "");
}

/** Return the name of a phase that has none but its id, as the server gives it. */
export function titleOf(id) {
  const words = String(id ?? "").replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

let fields = 0;

/** A slider with its name and its value in words. `put` is told of every change. */
export function rangeField(name, { min, max, step, value, say, put, disabled = false }) {
  const id = `field${(fields += 1)}`;
  const output = make("output", { class: "value", for: id }, say(value));
  const input = make("input", { type: "range", id, min, max, step, disabled });
  input.value = value;
  input.setAttribute("aria-valuetext", say(value));
  input.addEventListener("input", () => {
    const now = Number(input.value);
    output.textContent = say(now);
    input.setAttribute("aria-valuetext", say(now));
    put(now);
  });
  return make("div", { class: "rangefield" }, make("label", { for: id }, name), output, input);
}

export function numberField(name, { min, max, step = "any", value, put, disabled = false }) {
  const input = make("input", { type: "number", inputMode: "decimal", min, max, step, disabled });
  input.value = value ?? "";
  input.addEventListener("input", () => {
    if (input.value === "") put(null);
    else if (Number.isFinite(input.valueAsNumber)) put(input.valueAsNumber);
  });
  return make("label", { class: "field" }, name, input);
}

export function textField(name, { value, put, max = 80, disabled = false, name: key = "" }) {
  const input = make("input", { type: "text", maxLength: max, disabled, autocomplete: "off" });
  if (key) input.name = key;
  input.value = value ?? "";
  input.addEventListener("input", () => put(input.value));
  return make("label", { class: "field" }, name, input);
}

export function tickField(name, { value, put, disabled = false }) {
  const input = make("input", { type: "checkbox", disabled });
  input.checked = Boolean(value);
  input.addEventListener("change", () => put(input.checked));
  return make("label", { class: "tick" }, input, name);
}

export function selectField(name, { value, choices, put, disabled = false }) {
  const select = make("select", { disabled });
  for (const [key, words] of choices) select.append(make("option", { value: key, selected: key === value }, words));
  select.value = value;
  select.addEventListener("change", () => put(select.value));
  return make("label", { class: "field" }, name, select);
}

export function button(words, act, properties = {}) {
  const made = make("button", { type: "button", ...properties }, words);
  made.addEventListener("click", () => act(made));
  return made;
}

const EVENTS = {
  found: () => t("found on disk"),
  saved: () => t("saved"),
  restored: () => t("taken up again"),
  signed: () => t("signed by two roles"),
  imported: () => t("brought in"),
};

/** Show a design's versions: who by role, when, what changed; and a way back to each. */
export async function showVersions(list, path, restore) {
  let found;
  try {
    found = await call(`${path}/versions`);
  } catch {
    found = []; // a design without a file has no versions
  }
  const line = (version, index) => {
    const time = new Date(version.at_ms).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
    const role = version.role === "file" ? "" : ` · ${t(version.role)}`;
    const head = make("strong", {}, `${version.number} · ${(EVENTS[version.event] ?? (() => version.event))()}`);
    const words = make("div", {}, head, make("br"), make("span", { class: "dim" }, `${time}${role}`));
    for (const change of version.changes) words.append(make("p", { class: "change" }, change));
    const item = make("li", {}, words);
    if (restore && index > 0) {
      const back = button(t("Take up again"), () => restore(version.number));
      back.setAttribute("aria-label", t("Take up version {n} again", { n: version.number }));
      item.append(back);
    }
    return item;
  };
  list.replaceChildren(...found.map(line));
  if (found.length === 0) list.append(make("li", { class: "dim" }, t("No version is kept yet: the first is kept when it is saved.")));
}

/** Show faults and warnings; `go` is called with the key or phase of the line that was tapped. */
export function showFaults(list, problems, warnings, go) {
  const lines = [
    ...problems.map((p) => ({ grave: true, where: p.key, words: `${p.message}${p.hint ? ` (${p.hint})` : ""}`, head: p.key })),
    ...warnings.map((w) => ({ grave: w.grave, where: w.phase, words: w.message, head: "" })),
  ];
  const item = (line) => {
    const words = make("span", { class: line.grave ? "warn" : "dim" }, line.head ? `${line.head}: ${line.words}` : line.words);
    if (!line.where || !go) return make("li", {}, words);
    const tap = make("button", { type: "button", class: "line" }, words);
    tap.addEventListener("click", () => go(line.where));
    return make("li", {}, tap);
  };
  list.replaceChildren(...lines.map(item));
  if (lines.length === 0) list.append(make("li", { class: "dim" }, t("Nothing to warn of.")));
}

/** Ask for `work` at most once at a time; the newest question is the next to be asked. */
export function latest(work, wait = 150) {
  let timer = 0;
  let busy = false;
  let again = false;
  const go = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      await work();
    } finally {
      busy = false;
      if (again) {
        again = false;
        go();
      }
    }
  };
  return () => {
    clearTimeout(timer);
    timer = setTimeout(go, wait);
  };
}
