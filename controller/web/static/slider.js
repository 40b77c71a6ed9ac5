// <still-slider>: a large slider that follows the finger at once and the room only when it may.
// Dragging is relative: touching it changes nothing, so a hand that brushes it is no sudden light.

import { newId } from "/static/link.js";

const PACE_MS = 50; // at most 20 values a second
const TYPING_MS = 1500; // arrow keys pressed closer together are one gesture
const SETTLE_MS = 8000; // how long a fade on its way may keep the finger's value on show

export class StillSlider extends HTMLElement {
  #value = 0;
  #room = null; // the room's newest value
  #drag = null;
  #owed = null; // a reply that is awaited, or the revision from which the room's state counts again
  #sentAt = 0;
  #timer = 0;
  #gesture = null; // undo takes a gesture's values back together
  #typedAt = -Infinity;
  #fill = null;
  #text = null;

  connectedCallback() {
    if (this.#fill) return;
    this.min = Number(this.getAttribute("min") ?? 0);
    this.max = Number(this.getAttribute("max") ?? 100);
    this.step = Number(this.getAttribute("step") ?? 1);
    this.format ??= (value) => String(Math.round(value));
    this.#fill = document.createElement("span");
    this.#fill.className = "fill";
    this.#text = document.createElement("span");
    this.#text.className = "value";
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = this.getAttribute("aria-label");
    this.append(this.#fill, name, this.#text);
    this.tabIndex = 0;
    this.setAttribute("role", "slider");
    this.setAttribute("aria-valuemin", this.min);
    this.setAttribute("aria-valuemax", this.max);
    this.addEventListener("pointerdown", (event) => this.#grab(event));
    this.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) this.addEventListener(end, () => this.#release());
    this.addEventListener("keydown", (event) => this.#key(event));
    this.#draw();
  }

  /** What is shown. */
  get value() {
    return this.#value;
  }

  /** The room says what is so. A state from before our last word, or from amid its fade, is not shown. */
  follow(value, revision, fading) {
    this.#room = value;
    if (this.#drag || this.#owed === "reply") return;
    if (this.#owed !== null) {
      const settling = fading && performance.now() - this.#sentAt < SETTLE_MS;
      if (revision < this.#owed || settling) return;
      this.#owed = null;
    }
    this.#value = value;
    this.#draw();
  }

  /** `send` is called with a value and its gesture's id, and returns the promise of the link. */
  set onvalue(send) {
    this.send = send;
  }

  #grab(event) {
    if (event.button > 0) return;
    this.setPointerCapture(event.pointerId);
    this.#drag = { x: event.clientX, from: this.#value };
    this.#gesture = newId();
  }

  #move(event) {
    if (!this.#drag) return;
    const width = this.getBoundingClientRect().width;
    const sign = getComputedStyle(this).direction === "rtl" ? -1 : 1;
    const moved = (sign * (event.clientX - this.#drag.x)) / width;
    this.#set(this.#drag.from + moved * (this.max - this.min));
  }

  #release() {
    this.#drag = null;
  }

  #key(event) {
    const page = (this.max - this.min) / 10;
    const steps = {
      ArrowRight: this.step, ArrowUp: this.step, ArrowLeft: -this.step, ArrowDown: -this.step,
      PageUp: page, PageDown: -page, Home: this.min - this.#value, End: this.max - this.#value,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    if (event.timeStamp - this.#typedAt > TYPING_MS) this.#gesture = newId();
    this.#typedAt = event.timeStamp;
    this.#set(this.#value + steps[event.key]);
  }

  #set(value) {
    const stepped = Math.round(value / this.step) * this.step;
    const bounded = Math.min(this.max, Math.max(this.min, stepped));
    if (bounded === this.#value) return;
    this.#value = bounded;
    this.#draw();
    const wait = this.#sentAt + PACE_MS - performance.now();
    if (wait <= 0) this.#send();
    else if (!this.#timer) this.#timer = setTimeout(() => this.#send(), wait);
  }

  async #send() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#sentAt = performance.now();
    this.#owed = "reply";
    const sent = (this.latest = Symbol("sent"));
    const { outcome, reply } = await this.send(this.#value, this.#gesture);
    if (sent !== this.latest || outcome === "superseded") return;
    if (outcome === "applied") {
      this.#owed = reply.revision;
      return;
    }
    this.#owed = null; // lost or refused: show what is so
    if (!this.#drag && this.#room !== null) {
      this.#value = this.#room;
      this.#draw();
    }
  }

  #draw() {
    if (!this.#fill) return;
    const part = (this.#value - this.min) / (this.max - this.min);
    this.#fill.style.setProperty("inline-size", `${(100 * part).toFixed(2)}%`);
    const words = this.format(this.#value);
    this.#text.textContent = words;
    this.setAttribute("aria-valuenow", this.#value);
    this.setAttribute("aria-valuetext", words);
  }
}

customElements.define("still-slider", StillSlider);
