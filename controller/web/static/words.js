// The page's words in the reader's language; English is the source and the fallback.
const block = document.getElementById("words");
const words = block ? JSON.parse(block.textContent) : {};
export const language = document.documentElement.lang || "en";

/** Return a sentence in the reader's language, with `{name}` replaced. */
export function t(sentence, values = {}) {
  const said = words[sentence] || sentence;
  return said.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

const CODES = { invalid: "the room did not understand this", failed: "this could not be done", unknown_profile: "there is no such session here, or it cannot be used" };

/** Return what the server says in the reader's language: its sentence with its gaps filled, else what its code says. */
export function told({ code, sentence, fields, message = "" }) {
  if (!words[sentence || message]) return language !== "en" && CODES[code] ? t(CODES[code]) : message;
  const values = Object.entries(fields ?? {}).map(([name, value]) => [name, typeof value === "string" ? t(value) : value]);
  return t(sentence || message, Object.fromEntries(values));
}

/** Return a clock time of a Unix time in ms. */
export function clockTime(ms) {
  return new Date(ms).toLocaleTimeString(language, { hour: "numeric", minute: "2-digit" });
}

/** Return a length of time in words: minutes, and hours from two of them. */
export function span(ms) {
  const minutes = Math.max(0, Math.round(ms / 60000));
  if (minutes < 120) return t("{n} min", { n: minutes });
  return t("{h} h {m} min", { h: Math.floor(minutes / 60), m: String(minutes % 60).padStart(2, "0") });
}

/** Return a person's word for something named in code: `quiet_room` becomes "quiet room". */
export function plain(name) {
  return t(String(name).replaceAll("_", " "));
}

/** Make an element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Return one of our icons. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}
