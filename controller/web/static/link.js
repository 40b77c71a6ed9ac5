// The live link to the room. It keeps the newest state, says how old it is, and sees every command through:
// sent once, or said to be lost. It never shows an old value as true.

const OLD_MS = 2000; // values older than this are marked
const DEAD_MS = 3500; // a link silent for so long is cut and opened anew
const COMMAND_MS = 5000; // a command waits no longer
const LATE_MS = 30000; // an answer may still correct "lost" for so long
const DELAYS_MS = [0, 250, 500, 1000, 2000, 4000, 5000];
const NOT_PAIRED = 4401;
const FORBIDDEN = 4403;

/** Return a random UUID, on insecure origins too, where randomUUID is missing. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// Both clocks, because one stands still while a tablet sleeps and the other may be set.
const stamp = () => ({ steady: performance.now(), wall: Date.now() });
const ageMs = (from) => Math.max(performance.now() - from.steady, Date.now() - from.wall);

/** Return the state with a patch laid over it. */
export function patched(state, changes) {
  const next = { ...state };
  for (const [key, value] of Object.entries(changes)) {
    const [outer, inner] = key.split(".");
    next[outer] = inner === undefined ? value : { ...next[outer], [inner]: value };
  }
  return next;
}

export class Link extends EventTarget {
  #socket = null;
  #live = false; // this socket has sent its snapshot
  #seq = -1;
  #heard = null;
  #opened = null;
  #tries = 0;
  #timer = 0;
  #offset = 0; // the server's link_ms less our performance.now()
  #waiting = new Map();
  #late = new Map();
  #shown = "";
  state = null;

  /** `path` is the WebSocket's; the link opens at once. */
  constructor(path) {
    super();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.url = `${scheme}://${location.host}${path}`;
    setInterval(() => this.#watch(), 250);
    addEventListener("online", () => this.#again(true));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#watch();
    });
    addEventListener("pageshow", (event) => event.persisted && this.#again(true));
    this.#open();
  }

  /** How old the shown values are, ms; null before the first. */
  get age() {
    return this.#heard ? ageMs(this.#heard) : null;
  }

  /** "live", "old" (values older than 2 s) or "down". */
  get health() {
    if (!this.#live) return "down";
    return this.age > OLD_MS ? "old" : "live";
  }

  /**
   * Send a command; resolves to {outcome: "applied"|"refused"|"lost"|"unknown"|"superseded", reply}.
   * "lost" was never sent, "unknown" was sent and not answered. A newer command of the same `channel`
   * takes the place of one that waits (a drag sends its last value, not its way there).
   */
  send(command, channel = null) {
    const entry = { command: { id: newId(), ...command }, channel, tapped: stamp(), sentOn: null };
    const answer = new Promise((resolve) => (entry.resolve = resolve));
    if (channel) this.#supersede(channel);
    this.#waiting.set(entry.command.id, entry);
    if (this.#live) this.#transmit(entry);
    return answer;
  }

  #supersede(channel) {
    for (const [id, entry] of this.#waiting) {
      if (entry.channel !== channel || entry.sentOn === this.#socket) continue;
      this.#waiting.delete(id);
      entry.resolve({ outcome: "superseded" });
    }
  }

  #transmit(entry) {
    const linkMs = Math.round(entry.tapped.steady + this.#offset);
    this.#socket.send(JSON.stringify({ ...entry.command, link_ms: linkMs }));
    entry.sentOn = this.#socket;
  }

  #open() {
    clearTimeout(this.#timer);
    this.#drop();
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    this.#opened = stamp();
    socket.onmessage = (event) => this.#socket === socket && this.#take(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (this.#socket !== socket) return;
      this.#live = false;
      this.#socket = null;
      if (event.code === NOT_PAIRED || event.code === FORBIDDEN) {
        this.dispatchEvent(new CustomEvent("shut", { detail: event.code }));
        return;
      }
      this.#again(false);
      this.#watch();
    };
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#live = false;
    if (socket) socket.close();
  }

  #again(now) {
    if (this.#live) return;
    clearTimeout(this.#timer);
    const delay = now ? 0 : DELAYS_MS[Math.min(this.#tries, DELAYS_MS.length - 1)];
    this.#tries = now ? 0 : this.#tries + 1;
    this.#timer = setTimeout(() => this.#open(), delay * (0.8 + 0.4 * Math.random()));
  }

  #take(message) {
    if (message.type === "reply") return this.#answer(message.reply);
    if (message.type === "snapshot") {
      this.state = message.snapshot;
      this.#live = true;
      this.#tries = 0;
    } else if (message.type === "patch") {
      if (message.seq !== this.#seq + 1) return this.#open(); // never guess what was missed
      this.state = patched(this.state, message.set);
    } else {
      return this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
    }
    this.#seq = message.seq;
    this.#heard = stamp();
    this.#offset = message.link_ms - performance.now();
    if (message.type === "snapshot") this.#resend();
    this.#sayHealth();
    this.dispatchEvent(new Event("state"));
  }

  // A new socket: what waits goes out, under the same id, so that it cannot happen twice.
  #resend() {
    const last = new Map();
    for (const entry of this.#waiting.values()) if (entry.channel) last.set(entry.channel, entry);
    for (const [id, entry] of this.#waiting) {
      if (entry.channel && last.get(entry.channel) !== entry) {
        this.#waiting.delete(id);
        entry.resolve({ outcome: "superseded" });
      } else {
        this.#transmit(entry);
      }
    }
  }

  #answer(reply) {
    const entry = this.#waiting.get(reply.id) || this.#late.get(reply.id);
    this.#heard = stamp();
    if (!entry) return;
    this.#waiting.delete(reply.id);
    const wasLate = this.#late.delete(reply.id);
    const outcome = reply.ok ? "applied" : "refused";
    entry.resolve({ outcome, reply });
    if (wasLate) this.dispatchEvent(new CustomEvent("corrected", { detail: { command: entry.command, outcome, reply } }));
  }

  #watch() {
    if (this.#live && this.age > DEAD_MS) {
      this.#drop();
      this.#again(true);
    } else if (this.#socket && !this.#live && ageMs(this.#opened) > DEAD_MS) {
      this.#drop();
      this.#again(false);
    }
    for (const [id, entry] of this.#waiting) {
      if (ageMs(entry.tapped) <= COMMAND_MS) continue;
      this.#waiting.delete(id);
      if (entry.sentOn) this.#late.set(id, entry);
      entry.resolve({ outcome: entry.sentOn ? "unknown" : "lost" });
    }
    for (const [id, entry] of this.#late) if (ageMs(entry.tapped) > LATE_MS) this.#late.delete(id);
    this.#sayHealth();
  }

  #sayHealth() {
    const health = this.health;
    const shown = health === "live" ? health : `${health} ${Math.round((this.age ?? 0) / 1000)}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.dispatchEvent(new Event("health"));
  }
}
