// The client's display. It shows each prompt once, says so, and is dark the rest of the time. A lost link is not
// the client's business: the display stays dark, and the therapist's tablet says it.

import { newId } from "/static/link.js";
import { stayAwake } from "/static/shell.js";

const LONGEST_MS = 60000;
const FADE_MS = 4000;
const DEAD_MS = 3500;

const words = document.getElementById("prompt");
const room = encodeURIComponent(document.body.dataset.room);
const scheme = location.protocol === "https:" ? "wss" : "ws";
const seen = new Set();
let socket = null;
let heard = 0;
let timers = [];

function show(prompt) {
  if (!seen.has(prompt.id)) {
    seen.add(prompt.id);
    timers.forEach(clearTimeout);
    const stay = Math.min(LONGEST_MS, Math.max(15000, prompt.ttl_s * 1000));
    const appear = () => {
      words.textContent = prompt.text;
      requestAnimationFrame(() => requestAnimationFrame(() => words.classList.add("shown")));
    };
    const wait = words.classList.contains("shown") ? FADE_MS : 0;
    words.classList.remove("shown");
    timers = [
      setTimeout(appear, wait),
      setTimeout(() => words.classList.remove("shown"), wait + stay),
      setTimeout(() => (words.textContent = ""), wait + stay + FADE_MS),
    ];
  }
  socket.send(JSON.stringify({ id: newId(), command: "prompt_ack", prompt_id: prompt.id, result: "shown" }));
}

function open() {
  const mine = new WebSocket(`${scheme}://${location.host}/api/v1/rooms/${room}/display`);
  socket?.close();
  socket = mine;
  heard = Date.now();
  mine.onmessage = (event) => {
    heard = Date.now();
    const message = JSON.parse(event.data);
    if (message.type === "prompt" && socket === mine) show(message);
  };
  mine.onclose = (event) => {
    if (event.code === 4401) location.assign("/pair");
    else if (socket === mine) setTimeout(() => socket === mine && open(), 1000);
  };
}

setInterval(() => Date.now() - heard > DEAD_MS && open(), 1000);
open();
stayAwake();
