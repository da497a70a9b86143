// What the client tests stand on: a clock that only moves when told, and a WebSocket whose far end is the test.

import { webcrypto } from "node:crypto";

// Every browser has these; Debian 12's node 18 does not.
globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor(type, { detail = null } = {}) {
    super(type);
    this.detail = detail;
  }
};

/** Timers and time in the test's hands. */
export class ManualClock {
  #now = 0; #timers = []; #next = 1;
  now = () => this.#now;
  setTimeout = (work, delay) => {
    this.#timers.push({ id: this.#next, at: this.#now + delay, work });
    return this.#next++;
  };
  clearTimeout = (id) => { this.#timers = this.#timers.filter((timer) => timer.id !== id); };
  get timers() { return this.#timers.length; }
  advance(milliseconds) {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!due) break;
      this.#now = Math.max(this.#now, due.at);
      this.clearTimeout(due.id);
      due.work();
    }
    this.#now = end;
  }
}

/** A class of fake sockets; `sockets` holds all that were made. */
export function fakeWebSocket() {
  return class FakeWebSocket {
    static sockets = [];
    static get last() { return this.sockets.at(-1); }
    sent = []; closed = null; bufferedAmount = 0;
    constructor(url) {
      this.url = url;
      this.constructor.sockets.push(this);
    }
    send(data) { this.sent.push(Buffer.from(data)); }
    close(code, reason) {
      // As a browser: other codes throw.
      if (code !== 1000 && !(code >= 3000 && code <= 4999)) throw new Error("InvalidAccessError");
      if (Buffer.byteLength(reason) > 123) throw new Error("SyntaxError");
      this.closed = { code, reason };
    }
    /** The broker sends a frame. */
    receive(bytes) {
      const copy = Uint8Array.from(bytes);
      this.onmessage?.({ data: copy.buffer });
    }
    receiveText(text) { this.onmessage?.({ data: text }); }
    /** The broker or the network closes. */
    drop(code = 1006, reason = "") { this.onclose?.({ code, reason }); }
    /** Sent frames since the last call. */
    take() { return this.sent.splice(0); }
  };
}

const u32 = (value) => [value >>> 24 & 255, value >>> 16 & 255, value >>> 8 & 255, value & 255];
const text = (value) => [...Buffer.from(value)];

/** The frames a broker sends. */
export const broker = {
  init: (seed = 1, ip = "10.0.0.9", version = 1) => [1, version, ...u32(seed), ...text(ip)],
  connack: (etid = 0x1000, code = 0, reason = "") => [3, code, ...u32(etid), ...text(reason)],
  suback: (id, name, status = 0) => [5, status, ...u32(id), ...text(name)],
  createack: (id, name, status = 0) => [7, status, ...u32(id), ...text(name)],
  createsuback: (id, name, status = 0) => [18, status, ...u32(id), ...text(name)],
  publish: (to, from, subtid, data) => [8, ...u32(to), ...u32(from), ...u32(subtid), ...Buffer.from(data)],
  change: (id, count) => [16, ...u32(id), ...u32(count)],
  disconnect: (reason = "") => [11, ...text(reason)],
  ping: () => [12],
  pong: () => [13],
};

const NAMES = { 2: "connect", 4: "subscribe", 6: "create", 8: "publish", 9: "unsubscribe", 11: "disconnect",
  12: "ping", 13: "pong", 14: "observe", 15: "unobserve", 17: "createsub" };

/** A sent frame as words, for readable expectations: "subscribe /a", "observe 7", "publish 7 as 4096 sub 0 Hello". */
export function words(frame) {
  const name = NAMES[frame[0]] ?? `type ${frame[0]}`;
  if ([4, 6, 17].includes(frame[0])) return `${name} ${frame.subarray(1)}`;
  if ([9, 14, 15].includes(frame[0])) return `${name} ${frame.readUInt32BE(1)}`;
  if (frame[0] === 8) {
    return `${name} ${frame.readUInt32BE(1)} as ${frame.readUInt32BE(5)} sub ${frame.readUInt32BE(9)} ${frame.subarray(13)}`;
  }
  return name;
}
