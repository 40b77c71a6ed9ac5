// <still-phases>: the session's ribbon with handles: each phase's end to drag, and above it each phase's brightness.
// The drawing is <still-ribbon>'s own; here are only the handles and the curve they hold.

import { titleOf } from "/static/design.js";
import { lightness, percentOf } from "/static/ribbon.js";
import { make, t } from "/static/words.js";

const SPACE = "http://www.w3.org/2000/svg";
const MINUTE_MS = 60000;
const CURVE_HIGH = 118;
const TOP = 16;
const LEAST_MIN = 1;

export class StillPhases extends HTMLElement {
  #data = null;
  #plan = null;
  #chosen = 0;
  #readOnly = false;

  connectedCallback() {
    if (this.ribbon) return;
    this.ribbon = make("still-ribbon", { class: "design" });
    this.curve = document.createElementNS(SPACE, "svg");
    this.curve.setAttribute("class", "curve");
    this.curve.setAttribute("aria-hidden", "true");
    this.knobs = make("div", { class: "knobs" });
    this.ends = make("div", { class: "ends" });
    this.append(make("div", { class: "above" }, this.curve, this.knobs), make("div", { class: "below" }, this.ribbon, this.ends));
    new ResizeObserver(() => requestAnimationFrame(() => this.#place())).observe(this);
  }

  set readOnly(value) {
    this.#readOnly = value;
  }

  /** The draft's data; handles are made anew. */
  set data(data) {
    this.#data = data;
    this.#build();
  }

  set chosen(index) {
    this.#chosen = index;
    this.#place();
  }

  /** The plan as the server lays it out. */
  set plan(plan) {
    this.#plan = plan;
    this.ribbon.plan = plan;
    this.#place();
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #title(phase) {
    return phase.title || titleOf(phase.id);
  }

  #build() {
    const phases = this.#data?.phases ?? [];
    this.knobs.replaceChildren(...phases.map((phase, index) => this.#knob(phase, index)));
    this.ends.replaceChildren(...phases.map((phase, index) => this.#end(phase, index)));
    this.#place();
  }

  #handle(kind, index, words, keys, drag) {
    const handle = make("div", { class: kind, role: "slider", "aria-label": words, tabIndex: 0 });
    handle.dataset.phase = String(index);
    if (this.#readOnly) {
      handle.setAttribute("aria-disabled", "true");
      return handle;
    }
    handle.addEventListener("focus", () => this.#tell("phase", index));
    handle.addEventListener("keydown", (event) => {
      const by = keys[event.key];
      if (by === undefined) return;
      event.preventDefault();
      drag.step(event.shiftKey ? by * 5 : by);
    });
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      handle.setPointerCapture(event.pointerId);
      const [x, y] = [event.clientX, event.clientY];
      const move = drag.begin();
      const moved = (at) => move(at.clientX - x, at.clientY - y);
      const over = () => {
        handle.removeEventListener("pointermove", moved);
        handle.removeEventListener("pointerup", over);
        handle.removeEventListener("pointercancel", over);
        this.#tell("settled", index);
      };
      handle.addEventListener("pointermove", moved);
      handle.addEventListener("pointerup", over);
      handle.addEventListener("pointercancel", over);
    });
    return handle;
  }

  #end(phase, index) {
    const words = t("Length of {name}", { name: this.#title(phase) });
    const put = (minutes) => this.#tell("minutes", { index, minutes: Math.max(LEAST_MIN, Math.round(minutes)) });
    const rtl = getComputedStyle(this).direction === "rtl" ? -1 : 1;
    return this.#handle("end", index, words, { ArrowRight: rtl, ArrowLeft: -rtl, ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }, {
      step: (by) => put(phase.minutes + by),
      begin: () => {
        const [before, scale] = [phase.minutes, Math.abs(this.ribbon.x?.(MINUTE_MS * 60) - this.ribbon.x?.(0)) / 60 || 1];
        return (dx) => put(before + (rtl * dx) / scale);
      },
    });
  }

  #knob(phase, index) {
    const words = t("Brightness of {name}", { name: this.#title(phase) });
    const put = (percent) => {
      const held = Math.max(0, Math.min(100, percent));
      this.#tell("brightness", { index, percent: held < 10 ? Math.round(held * 2) / 2 : Math.round(held) });
    };
    const level = () => phase.light?.brightness_percent ?? 0;
    const step = (by) => put(level() + by * (level() + by * 0.5 < 10 ? 0.5 : 1));
    return this.#handle("knob", index, words, { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5 }, {
      step,
      begin: () => {
        const before = lightness(level());
        return (dx, dy) => put(percentOf(Math.max(0, Math.min(100, before - (dy / (CURVE_HIGH - 2 * TOP)) * 100))));
      },
    });
  }

  #y(percent) {
    return CURVE_HIGH - TOP - (lightness(percent) / 100) * (CURVE_HIGH - 2 * TOP);
  }

  // The curve of the room's main light: the zone that is nearest to what the phases say.
  #main() {
    const phases = this.#data?.phases ?? [];
    const error = (zone) =>
      this.#plan.phases.reduce((sum, slot, index) => {
        const end = slot.start_ms + slot.length_ms;
        const last = zone.points.filter((point) => point.session_ms <= end).at(-1);
        return sum + Math.abs((last?.brightness_percent ?? 0) - (phases[index]?.light?.brightness_percent ?? 0));
      }, 0);
    return this.#plan.zones.reduce((best, zone) => (best === null || error(zone) < error(best) ? zone : best), null);
  }

  #place() {
    const x = this.ribbon?.x;
    const phases = this.#data?.phases ?? [];
    if (!x || !this.#plan || phases.length === 0) return;
    let from = 0;
    phases.forEach((phase, index) => {
      const long = (Number(phase.minutes) || 0) * MINUTE_MS;
      const [knob, end] = [this.knobs.children[index], this.ends.children[index]];
      const percent = phase.light?.brightness_percent ?? 0;
      knob.style.setProperty("inset-inline-start", `${this.#inline(x(from + long / 2))}px`);
      knob.style.setProperty("inset-block-start", `${this.#y(percent)}px`);
      end.style.setProperty("inset-inline-start", `${this.#inline(x(from + long))}px`);
      for (const [handle, value, text] of [[knob, percent, `${percent} %`], [end, phase.minutes, t("{n} min", { n: phase.minutes })]]) {
        handle.setAttribute("aria-valuenow", value);
        handle.setAttribute("aria-valuetext", text);
        handle.toggleAttribute("data-chosen", index === this.#chosen);
      }
      knob.setAttribute("aria-valuemin", "0");
      knob.setAttribute("aria-valuemax", "100");
      end.setAttribute("aria-valuemin", String(LEAST_MIN));
      end.setAttribute("aria-valuemax", "1440");
      from += long;
    });
    this.#curve(x);
  }

  #inline(x) {
    const box = this.getBoundingClientRect();
    return getComputedStyle(this).direction === "rtl" ? box.width - x : x;
  }

  #curve(x) {
    const zone = this.#main();
    const { width } = this.getBoundingClientRect();
    this.curve.setAttribute("width", width);
    this.curve.setAttribute("height", CURVE_HIGH);
    this.curve.setAttribute("viewBox", `0 0 ${width} ${CURVE_HIGH}`);
    if (!zone) return this.curve.replaceChildren();
    const floor = CURVE_HIGH - TOP;
    const id = "maincurve";
    const gradient = document.createElementNS(SPACE, "linearGradient");
    for (const [name, value] of Object.entries({ id, gradientUnits: "userSpaceOnUse", x1: x(0), x2: x(this.#plan.length_ms) })) gradient.setAttribute(name, value);
    for (const point of zone.points) {
      const stop = document.createElementNS(SPACE, "stop");
      stop.setAttribute("offset", String(point.session_ms / Math.max(this.#plan.length_ms, 1)));
      stop.setAttribute("stop-color", point.swatch);
      gradient.append(stop);
    }
    const line = zone.points.map((point) => `${x(point.session_ms).toFixed(1)},${this.#y(point.brightness_percent).toFixed(1)}`).join(" L");
    const area = document.createElementNS(SPACE, "path");
    area.setAttribute("d", `M${x(0)},${floor} L${line} L${x(this.#plan.length_ms)},${floor} Z`);
    area.setAttribute("fill", `url(#${id})`);
    const edge = document.createElementNS(SPACE, "path");
    edge.setAttribute("class", "edge");
    edge.setAttribute("d", `M${line}`);
    this.curve.replaceChildren(gradient, area, edge);
  }
}

customElements.define("still-phases", StillPhases);
