// <still-ribbon>: the whole session on one strip. Phases, each zone's light in its true colours, music,
// prompts, where we are, where it ends; and, before it is done, what a change would do.

import { clockTime, plain, span, t } from "/static/words.js";

const SPACE = "http://www.w3.org/2000/svg";
const HOUR_MS = 3600000;
const GUTTER = 68; // beside the drawing, for the zones' names
const LOWEST_LANE = 12;
const LABELLED_LANE = 17; // lower lanes go without a name
const ROOM_BEHIND = 1.05; // a little room behind the end: what becomes longer has where to be drawn
let count = 0;

function draw(tag, attributes, text) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** CIE L* (0 to 100) of a brightness in percent: heights look as even as the light does. */
export function lightness(percent) {
  const y = percent / 100;
  return y <= 216 / 24389 ? (24389 / 27) * y : 116 * Math.cbrt(y) - 16;
}

/** Percent of an L*. */
export function percentOf(lstar) {
  return 100 * (lstar <= 8 ? lstar / (24389 / 27) : ((lstar + 16) / 116) ** 3);
}

/** A word as far as it fits: whole, cut where enough is left to know it by, else not at all. */
function fitted(word, width, letter = 7.2) {
  const letters = Math.floor(width / letter);
  if (word.length <= letters) return word;
  return letters >= 6 ? `${word.slice(0, letters - 1)}…` : "";
}

export class StillRibbon extends HTMLElement {
  #plan = null;
  #session = null;
  #nowMs = 0;
  #ghost = null;
  #shown = null;
  #id = `ribbon${(count += 1)}`;
  #now = null;

  connectedCallback() {
    this.setAttribute("role", "img");
    new ResizeObserver(() => this.#draw()).observe(this);
  }

  /** The plan, as the API's ribbon gives it; null clears. */
  set plan(plan) {
    this.#plan = plan;
    this.#draw();
  }

  /** What a command would do ({planned_end_ms, phases}), or null. */
  set ghost(preview) {
    this.#ghost = preview;
    this.#draw();
  }

  /** Where we are. Only the line moves; the drawing is made anew when the plan is. */
  follow(session, nowMs) {
    const shown = session && `${session.status} ${session.phase} ${clockTime(session.planned_end_ms)}`;
    const same = shown === this.#shown;
    this.#shown = shown;
    this.#session = session;
    this.#nowMs = nowMs;
    if (!this.#plan || !session) return;
    if (same) this.#place();
    else this.#draw();
  }

  #length() {
    const ghost = this.#ghost?.phases.at(-1);
    return Math.max(this.#plan.length_ms * (this.#session ? ROOM_BEHIND : 1), ghost ? ghost.start_ms + ghost.length_ms : 0, 1);
  }

  #draw() {
    this.replaceChildren();
    this.#now = null;
    const { width, height } = this.getBoundingClientRect();
    if (!this.#plan || width < 10 || height < 10) return;
    const rtl = getComputedStyle(this).direction === "rtl";
    const lane = (height - 22 - 4 - 48) / Math.max(this.#plan.zones.length, 1);
    const gutter = lane > LABELLED_LANE ? GUTTER : 1;
    const scale = (width - gutter - 1) / this.#length();
    const x = (ms) => (rtl ? width - gutter - ms * scale : gutter + ms * scale);
    this.x = x;
    const svg = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    const top = 22;
    const axis = height - 4;
    const music = { y: axis - 38, h: 17 };
    this.#phases(svg, x, top, axis - 16);
    this.#lights(svg, x, top + 4, music.y - 6);
    this.#musics(svg, x, music);
    this.#cues(svg, x, music.y - 4);
    this.#axis(svg, x, axis);
    if (this.#ghost) this.#ghosts(svg, x, top, axis - 16);
    this.#marker(svg, top, axis - 14);
    this.append(svg);
    this.#place();
  }

  #box(x, start, length) {
    const [a, b] = [x(start), x(start + length)];
    return { x: Math.min(a, b), width: Math.max(1, Math.abs(b - a)) };
  }

  #phases(svg, x, top, bottom) {
    for (const phase of this.#plan.phases) {
      const box = this.#box(x, phase.start_ms, phase.length_ms);
      const kind = `phase ${phase.slot % 2 ? "odd" : "even"}`;
      svg.append(draw("rect", { class: kind, y: top, height: bottom - top, ...box }));
      const title = fitted(phase.title, box.width - 4);
      if (!title) continue;
      const current = this.#session?.phase === phase.phase ? "title current" : "title";
      svg.append(draw("text", { class: current, x: box.x + box.width / 2, y: top - 7, "text-anchor": "middle" }, title));
    }
  }

  #lights(svg, x, top, bottom) {
    const zones = this.#lanes(bottom - top);
    const lane = (bottom - top) / Math.max(zones.length, 1);
    const defs = draw("defs", {});
    svg.append(defs);
    zones.forEach((zone, index) => {
      if (zone.points.length === 0) return;
      const floor = top + (index + 1) * lane - 2;
      const y = (percent) => floor - (lightness(percent) / 100) * (lane - 6);
      const [first, last] = [x(0), x(this.#plan.length_ms)];
      const gradient = draw("linearGradient", { id: `${this.#id}-${index}`, gradientUnits: "userSpaceOnUse", x1: first, x2: last });
      const points = [{ ...zone.points[0], session_ms: 0 }, ...zone.points, { ...zone.points.at(-1), session_ms: this.#plan.length_ms }];
      for (const point of points) {
        const offset = point.session_ms / Math.max(this.#plan.length_ms, 1);
        gradient.append(draw("stop", { offset, "stop-color": point.swatch }));
      }
      defs.append(gradient);
      const line = points.map((point) => `${x(point.session_ms).toFixed(1)},${y(point.brightness_percent).toFixed(1)}`).join(" L");
      svg.append(draw("path", { d: `M${first},${floor} L${line} L${last},${floor} Z`, fill: `url(#${this.#id}-${index})` }));
      svg.append(draw("path", { class: "curve", d: `M${line}` }));
      if (lane > LABELLED_LANE) {
        const name = plain(zone.zone);
        const fits = fitted(name[0].toUpperCase() + name.slice(1), GUTTER - 6);
        const side = x(0) < x(1) ? { x: x(0) - 6, "text-anchor": "end" } : { x: x(0) + 6, "text-anchor": "start" };
        svg.append(draw("text", { class: "lane", y: floor - lane / 2 + 8, ...side }, fits));
      }
    });
  }

  // Where the strip is too low for all, the brightest zone speaks for the room.
  #lanes(height) {
    const zones = this.#plan.zones;
    if (height / Math.max(zones.length, 1) >= LOWEST_LANE) return zones;
    const peak = (zone) => Math.max(0, ...zone.points.map((point) => point.brightness_percent));
    return zones.length ? [zones.reduce((a, b) => (peak(b) > peak(a) ? b : a))] : [];
  }

  #musics(svg, x, { y, h }) {
    for (const piece of this.#plan.music) {
      const box = this.#box(x, piece.start_ms, piece.length_ms);
      const inner = { x: box.x + 1, width: Math.max(1, box.width - 2), y, height: h };
      if (piece.pool === null) {
        svg.append(draw("rect", { class: "quiet", ...inner }));
        continue;
      }
      svg.append(draw("rect", { class: "music", "fill-opacity": (0.1 + 0.34 * piece.energy).toFixed(2), ...inner }));
      const name = fitted(plain(piece.mood || piece.pool), inner.width - 6, 6.6);
      if (name) svg.append(draw("text", { class: "pool", x: inner.x + inner.width / 2, y: y + h - 4.5, "text-anchor": "middle" }, name));
    }
  }

  #cues(svg, x, y) {
    for (const cue of this.#plan.cues) {
      svg.append(draw("circle", { class: `cue ${cue.audience}`, cx: x(cue.due_ms), cy: y, r: 3 }));
    }
  }

  #axis(svg, x, y) {
    const length = this.#plan.length_ms;
    const every = length > 3 * HOUR_MS ? HOUR_MS : HOUR_MS / 4;
    const spare = this.#session ? 60 / Math.abs(x(1) - x(0)) : every / 3; // the end's time wants its own place
    for (let ms = every; ms < length - spare; ms += every) {
      const text = every === HOUR_MS ? t("{n} h", { n: ms / HOUR_MS }) : t("{n} min", { n: ms / 60000 });
      svg.append(draw("text", { class: "hour", x: x(ms), y, "text-anchor": "middle" }, text));
    }
    if (!this.#session) return;
    svg.append(draw("path", { class: "end", d: `M${x(length).toFixed(1)},22 V${y - 16}` }));
    if (!this.#ghost) this.#endTime(svg, x(length), y, this.#session.planned_end_ms, "endtime");
  }

  // The clock's time at the end of the strip; it ends where the line stands, or the strip does.
  #endTime(svg, at, y, ms, kind) {
    const [away, width] = [this.x(1) > this.x(0), this.getBoundingClientRect().width];
    const edge = away ? Math.min(at + 24, width - 2) : Math.max(at - 24, 2);
    svg.append(draw("text", { class: kind, x: edge, y, "text-anchor": away ? "end" : "start" }, clockTime(ms)));
  }

  // What a change would do: the new phases' edges over the plan, and where it would end.
  #ghosts(svg, x, top, bottom) {
    const from = this.#session?.session_ms ?? 0;
    const edges = this.#ghost.phases.map((phase) => phase.start_ms + phase.length_ms);
    const end = edges.at(-1) ?? this.#plan.length_ms;
    const before = this.#plan.length_ms;
    if (end !== before) {
      const box = this.#box(x, Math.min(end, before), Math.abs(end - before));
      svg.append(draw("rect", { class: end > before ? "ghost more" : "ghost less", y: top, height: bottom - top, ...box }));
    }
    for (const at of edges.slice(0, -1)) {
      if (at > from) svg.append(draw("path", { class: "ghost", d: `M${x(at).toFixed(1)},${top} V${bottom}` }));
    }
    const [tip, away] = [x(end), x(end) > x(0) ? 1 : -1];
    const covered = from + (this.#ghost.music_coverage_ms ?? Infinity);
    if (covered < end - 60000) { // the state is some moments older than the answer
      // From here on pieces come round again: the music's row is dotted.
      svg.append(draw("path", { class: "ghost round", d: `M${x(covered).toFixed(1)},${bottom - 1} H${x(end).toFixed(1)}` }));
    }
    svg.append(draw("path", { class: "ghost end", d: `M${tip.toFixed(1)},${top} V${bottom}` }));
    if (this.#ghost.open) {
      // A hold has no new end: it moves on for as long as the session is held.
      const middle = (top + bottom) / 2;
      svg.append(draw("path", { class: "ghost", d: `M${tip},${middle} h${14 * away} m${-5 * away},-5 l${5 * away},5 l${-5 * away},5` }));
    }
    this.#endTime(svg, tip, bottom + 16, this.#ghost.planned_end_ms, "endtime new");
  }

  #marker(svg, top, bottom) {
    this.#now = draw("g", { class: "now" });
    this.past = draw("rect", { class: "past", y: top, height: bottom - top });
    this.#now.append(draw("path", { d: `M0,${top - 3} V${bottom}` }), draw("path", { class: "head", d: `M-5,${top - 6} h10 l-5,7 z` }));
    svg.append(this.past, this.#now);
  }

  #place() {
    if (!this.#now) return;
    const session = this.#session;
    this.#now.toggleAttribute("hidden", !session);
    this.#now.setAttribute("visibility", session ? "visible" : "hidden");
    this.past.setAttribute("visibility", session ? "visible" : "hidden");
    this.setAttribute("aria-label", this.#say());
    if (!session) return;
    const at = Math.min(session.session_ms, this.#length());
    const box = this.#box(this.x, 0, at);
    this.past.setAttribute("x", box.x);
    this.past.setAttribute("width", box.width);
    this.#now.setAttribute("transform", `translate(${this.x(at).toFixed(1)},0)`);
  }

  #say() {
    const titles = this.#plan.phases.map((phase) => phase.title).join(", ");
    const plan = t("Plan of {length}: {phases}.", { length: span(this.#plan.length_ms), phases: titles });
    if (!this.#session) return plan;
    return `${plan} ${t("Now: {phase}. Ends {time}.", { phase: this.#session.phase_title, time: clockTime(this.#session.planned_end_ms) })}`;
  }
}

customElements.define("still-ribbon", StillRibbon);
