// What a key would do to the session, drawn before it is done: while a finger rests on it (or a mouse points at it, or
// the keyboard stands on it) the ribbon shows the new plan. Letting go does it; sliding away withdraws it. A plain
// tap is a plain tap: it waits for nothing.

import { clockTime, t } from "/static/words.js";

const REST_MS = 150; // a tap is over by then, and asks for no drawing
const POINT_MS = 400;
const AWAY_PX = 14; // a finger that trembles has not slid away
const CLICK_MS = 400; // a browser's click may come so long after the finger

let drawn = null; // what is drawn now, or asked for: {key, label}

/** Take back what is drawn. */
export function withdraw(ribbon) {
  if (!drawn) return;
  const { key, label } = drawn;
  drawn = null;
  key.classList.remove("offer");
  if (label !== null) key.querySelector(".label").textContent = label;
  ribbon.ghost = null;
}

async function show(key, command, { link, ribbon }) {
  if (drawn?.key === key || link.health !== "live") return;
  withdraw(ribbon);
  const mine = (drawn = { key, label: null });
  const { outcome, reply } = await link.send({ ...command, dry_run: true }, "preview");
  if (drawn !== mine) return;
  if (outcome !== "applied" || !reply.preview) {
    drawn = null; // no answer, or it cannot be done: nothing is drawn, and the key says why when it is tapped
    return;
  }
  const label = key.querySelector(".label");
  if (label) {
    mine.label = label.textContent;
    label.textContent = t(command.command === "hold" ? "ends after {time}" : "ends {time}", { time: clockTime(reply.preview.planned_end_ms) });
  }
  key.classList.add("offer");
  ribbon.ghost = { ...reply.preview, open: command.command === "hold" };
}

/**
 * Let a key show what it would do. `command` gives the command as it would be sent now, or null for none;
 * `act` does it. `page` is {link, ribbon}.
 */
export function previewed(key, command, act, page) {
  let pressed = false;
  let timer = 0;
  let skipClick = false;
  let forget = 0;

  const soon = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const wanted = command();
      if (wanted && key.getAttribute("aria-disabled") !== "true") show(key, wanted, page);
    }, ms);
  };
  const stop = () => {
    clearTimeout(timer);
    if (drawn?.key === key) withdraw(page.ribbon);
  };
  const away = ({ clientX: x, clientY: y }) => {
    const box = key.getBoundingClientRect();
    return x < box.left - AWAY_PX || x > box.right + AWAY_PX || y < box.top - AWAY_PX || y > box.bottom + AWAY_PX;
  };
  const release = () => {
    clearTimeout(forget);
    forget = setTimeout(() => (skipClick = false), CLICK_MS);
  };

  key.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    pressed = true;
    skipClick = true; // the finger's own end decides, not the click that a browser makes of it
    clearTimeout(forget);
    key.setPointerCapture(event.pointerId);
    if (drawn?.key !== key) soon(REST_MS);
  });
  key.addEventListener("pointermove", (event) => {
    if (!pressed || !away(event)) return;
    pressed = false;
    stop();
  });
  key.addEventListener("pointerup", () => {
    release();
    if (!pressed) return;
    pressed = false;
    stop();
    act();
  });
  key.addEventListener("pointercancel", () => {
    pressed = false;
    release();
    stop();
  });
  key.addEventListener("contextmenu", (event) => pressed && event.preventDefault());
  key.addEventListener("click", () => {
    if (skipClick) {
      skipClick = false;
      return;
    }
    stop();
    act();
  });
  key.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && !pressed && soon(POINT_MS));
  key.addEventListener("pointerleave", () => !pressed && stop());
  key.addEventListener("focus", () => key.matches(":focus-visible") && soon(REST_MS));
  key.addEventListener("blur", stop);
}
