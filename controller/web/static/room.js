// <still-room>: a plan of the room seen from above, its zones as pools of light in their true colours.
// The site file knows zones and lamps, not places: ceiling, bedside and path have theirs, others stand along the wall.

import { plain, t } from "/static/words.js";

const SPACE = "http://www.w3.org/2000/svg";
const [WIDE, HIGH] = [640, 420];
const PLACES = {
  ceiling: (part) => [320 + (part - 0.5) * 170, 120],
  bedside: (part) => [part < 0.5 ? 205 - part * 40 : 435 + (1 - part) * 40, 225],
  path: (part) => [440 + part * 130, 370 - part * 130],
};
let count = 0;

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function lightness(percent) {
  const y = percent / 100;
  return y <= 216 / 24389 ? (24389 / 27) * y : 116 * Math.cbrt(y) - 16;
}

export class StillRoom extends HTMLElement {
  #zones = [];
  #looks = new Map();
  #chosen = null;
  #parts = new Map();
  #id = `room${(count += 1)}`;

  /** The room's zones: [{zone, title, lamps}]. */
  set zones(zones) {
    this.#zones = zones;
    this.#build();
  }

  /** The looks: [{zone, brightness_percent, swatch}], null where a zone stays as it is. */
  set looks(looks) {
    this.#looks = new Map(looks.map((look) => [look.zone, look]));
    this.#paint();
  }

  /** Which zone is being worked on; taps are told as `zone` events. */
  set chosen(zone) {
    this.#chosen = zone;
    for (const [name, part] of this.#parts) part.group.setAttribute("aria-pressed", String(name === zone));
  }

  #build() {
    const quiet = !this.hasAttribute("choose");
    const svg = draw("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: quiet ? "img" : "group", "aria-label": this.getAttribute("aria-label") ?? t("The room") });
    const defs = draw("defs", {});
    svg.append(defs, draw("rect", { class: "floor", x: 12, y: 12, width: WIDE - 24, height: HIGH - 24, rx: 10 }));
    svg.append(draw("rect", { class: "bed", x: 262, y: 196, width: 116, height: 176, rx: 12 }), draw("rect", { class: "pillow", x: 280, y: 206, width: 80, height: 34, rx: 10 }));
    svg.append(draw("path", { class: "door", d: `M${WIDE - 12} 300 v70` }), draw("path", { class: "chair", d: "M150 300 a28 28 0 1 0 0.1 0 z" }));
    this.#parts.clear();
    const others = this.#zones.filter((zone) => !(zone.zone in PLACES));
    for (const zone of this.#zones) {
      const index = others.indexOf(zone);
      const place = PLACES[zone.zone] ?? ((part) => [70 + part * 40, 60 + ((index + 0.5) / others.length) * 300]);
      this.#parts.set(zone.zone, this.#zone(svg, defs, zone, place, quiet));
    }
    this.replaceChildren(svg);
    this.chosen = this.#chosen;
    this.#paint();
  }

  #zone(svg, defs, zone, place, quiet) {
    const lamps = Math.max(1, Math.min(zone.lamps || 1, 6));
    const id = `${this.#id}-${zone.zone}`;
    const stops = [0, 0.45, 1].map((offset) => draw("stop", { offset }));
    defs.append(draw("radialGradient", { id }, ...stops));
    const group = draw("g", { class: "zone", "data-zone": zone.zone });
    if (!quiet) {
      group.setAttribute("role", "button");
      group.setAttribute("tabindex", "0");
      const tell = () => this.dispatchEvent(new CustomEvent("zone", { detail: zone.zone }));
      group.addEventListener("click", tell);
      group.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), tell()));
    }
    const pools = [];
    let middle = [0, 0];
    for (let lamp = 0; lamp < lamps; lamp += 1) {
      const [cx, cy] = place(lamps === 1 ? 0.5 : lamp / (lamps - 1));
      middle = [middle[0] + cx / lamps, middle[1] + cy / lamps];
      const pool = draw("circle", { class: "pool", cx, cy, fill: `url(#${id})` });
      pools.push(pool);
      group.append(pool, draw("circle", { class: "lamp", cx, cy, r: 5 }));
    }
    group.append(draw("rect", { class: "hit", x: middle[0] - 62, y: middle[1] - 22, width: 124, height: 62 }));
    const words = draw("text", { x: middle[0], y: middle[1] + 26, "text-anchor": "middle" });
    group.append(words);
    svg.append(group);
    return { group, pools, stops, words, title: zone.title || plain(zone.zone) };
  }

  #paint() {
    for (const [zone, part] of this.#parts) {
      const look = this.#looks.get(zone);
      const lit = look && look.swatch !== null && look.brightness_percent !== null;
      const percent = lit ? look.brightness_percent : 0;
      const strength = lightness(percent) / 100;
      for (const pool of part.pools) pool.setAttribute("r", (30 + 72 * strength).toFixed(1));
      part.stops.forEach((stop, index) => {
        stop.setAttribute("stop-color", lit ? look.swatch : "#1d1409");
        stop.setAttribute("stop-opacity", [lit ? 0.95 : 0.4, lit ? 0.42 : 0.2, 0][index]);
      });
      const rounded = percent < 10 ? Math.round(percent * 10) / 10 : Math.round(percent);
      const said = lit ? t("{name}: {n} %", { name: part.title, n: rounded }) : t("{name}: as it is", { name: part.title });
      part.words.textContent = said;
      part.group.setAttribute("data-swatch", lit ? look.swatch : "");
      if (part.group.hasAttribute("role")) part.group.setAttribute("aria-label", said);
    }
  }
}

customElements.define("still-room", StillRoom);
