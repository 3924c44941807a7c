// The connection to the server: comes back by itself, sends many moves of a fader as few messages.

const RATE_HZ = 30;
const SEND_MS = 1000 / 30; // moves of a finger in between become one
const SILENT_MS = 3000; // the server says something every second
const RETRY_MS = [250, 500, 1000, 2000, 3000];
const ANSWER_MS = 8000;

const fromWire = (v) => (v === "-inf" ? -Infinity : v === "inf" ? Infinity : v);
const toWire = (v) => (typeof v === "number" && !Number.isFinite(v) ? (v < 0 ? "-inf" : "inf") : v);

export class Wire extends EventTarget {
  constructor() {
    super();
    this.open = false;
    this.waiting = new Map(); // parameter -> value to send
    this.asked = new Map(); // id -> promise's ends
    this.nextId = 1;
    this.tries = 0;
    this.connect();
    setInterval(() => this.watch(), 500);
    // a phone that wakes up does not wait for the next try
    document.addEventListener("visibilitychange", () => { if (!document.hidden && !this.open) this.connect(); });
    window.addEventListener("online", () => { if (!this.open) this.connect(); });
  }

  connect() {
    if (this.socket && this.socket.readyState < WebSocket.CLOSING) return;
    clearTimeout(this.retry);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = this.socket = new WebSocket(`${scheme}//${location.host}/api/live`);
    this.heardAt = performance.now();
    socket.onopen = () => this.send({ type: "subscribe", rate: RATE_HZ });
    socket.onmessage = (event) => { if (socket === this.socket) this.hear(JSON.parse(event.data)); };
    socket.onclose = () => { if (socket === this.socket) this.lost(); };
  }

  watch() {
    if (!this.socket || this.socket.readyState >= WebSocket.CLOSING || performance.now() - this.heardAt < SILENT_MS) return;
    const stuck = this.socket; // open, or opening for ever
    this.socket = null;
    stuck.close();
    this.lost();
  }

  async lost() {
    this.open = false;
    this.tell("lost", {});
    this.waiting.clear(); // what was not sent is old when the connection is back
    for (const { reject } of this.asked.values()) reject({ problem: "the connection was lost", remedy: "try again" });
    this.asked.clear();
    this.retry = setTimeout(() => this.connect(), RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
    try {
      const answer = await fetch("api/do", { signal: AbortSignal.timeout(SILENT_MS) });
      if (answer.status === 401) this.tell("stranger", {});
    } catch { /* nobody there */ }
  }

  hear(message) {
    this.heardAt = performance.now();
    if (message.type === "hello") {
      this.open = true;
      this.tries = 0;
      for (const p of message.parameters) for (const key of ["default", "off", "value"]) p[key] = fromWire(p[key]);
    }
    if (message.values) for (const name in message.values) message.values[name] = fromWire(message.values[name]);
    const asked = this.asked.get(message.id);
    if (asked) {
      this.asked.delete(message.id);
      if (message.type === "answer") asked.resolve(message.answer);
      else asked.reject(message);
    } else {
      this.tell(message.type, message);
    }
  }

  tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  // A parameter, soon: the last of several values within a moment is sent.
  set(name, value) {
    if (!this.open) return;
    this.waiting.set(name, toWire(value));
    if (!this.sending) this.sending = setTimeout(() => this.flush(), Math.max(0, (this.sentAt ?? 0) + SEND_MS - performance.now()));
  }

  flush() {
    this.sending = 0;
    this.sentAt = performance.now();
    if (this.waiting.size) this.send({ type: "set", values: Object.fromEntries(this.waiting) });
    this.waiting.clear();
  }

  // Something besides parameters; its answer, or an error with problem and remedy.
  do(action, words = "") {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject });
      setTimeout(() => {
        if (this.asked.delete(id)) reject({ problem: `${action} was not answered`, remedy: "try again" });
      }, ANSWER_MS);
      this.send({ type: "do", id, action, words });
    });
  }
}
