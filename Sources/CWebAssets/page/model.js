// What the page knows: devices, their LEDs and temperatures, what the user pressed and which device is chosen.
// No DOM, no socket, no clock: times come in as milliseconds, so that every rule is tested without a browser.

import { parseDevinfo, parseLED, parseTemperature } from "./devinfo.js";

/** An LED that did not echo this long after a press gets a hint instead of a pending mark. */
export const ECHO_TIMEOUT = 2000;
/** A device that did not announce itself this long after the broker is back is said to be away. */
export const SETTLE_TIME = 3000;
const AWAY_KEPT = 60000, AWAY_LIMIT = 8, HISTORY = 240;

/**
 * The devices of one broker. A device is {key, etid, state, ip, name, leds, temp, history, board, since}.
 * `state`: "here"; "unsure" (the broker is lost, so nobody knows); "away" (it has gone; kept a while as a memory).
 * `key` names the list entry for good, while the ETID changes with every connection.
 */
export class DeviceModel {
  #devices = new Map(); // key -> device
  #byEtid = new Map(); // etid -> device, only those that are here
  #nextKey = 1;
  /** The chosen device or null. */
  selected = null;
  /** Messages that were not what their topic promises, and devices beyond the limit. */
  ignored = 0;
  hidden = new Set();

  constructor({ limit = 500 } = {}) { this.limit = limit; }

  get(key) { return this.#devices.get(key) ?? null; }
  get here() { return this.#byEtid.size; }
  /** Whether a device of this ETID is not known, and not left out either. */
  misses(etid) { return !this.#byEtid.has(etid) && !this.hidden.has(etid) && this.#byEtid.size < this.limit; }

  /** All list entries by address (numbers in it as numbers), then by name. */
  list() {
    return [...this.#devices.values()].sort((a, b) => compare(a.ip, b.ip) || compare(a.name, b.name) || a.key - b.key);
  }

  /**
   * devinfo from the device `etid`.
   * @returns {{device: object, news: "new"|"back"|"update"}|null} null when it is ignored
   */
  announce(etid, text, now) {
    const info = parseDevinfo(text);
    if (!info) return this.#ignore();
    let device = this.#byEtid.get(etid), news = "update";
    if (!device) {
      device = this.#memory(info);
      news = device?.state === "away" ? "back" : "update";
    }
    if (!device) {
      if (this.#byEtid.size >= this.limit) {
        // Counted by ETID, but not remembered without bound either.
        if (this.hidden.size < 10000) this.hidden.add(etid);
        return null;
      }
      device = { key: this.#nextKey++, history: [], leds: [], temp: null };
      this.#devices.set(device.key, device);
      news = "new";
    }
    const before = new Map(device.leds.map((led) => [led.id, led]));
    for (const led of info.leds) {
      const pending = before.get(led.id)?.pending ?? null;
      led.pending = pending && pending.on !== led.on ? pending : null;
      led.problem = null;
    }
    Object.assign(device, info, { etid, state: "here", since: now, temp: device.temp });
    this.#byEtid.set(etid, device);
    this.hidden.delete(etid);
    if (info.temp !== null) this.#setTemperature(device, info.temp, now);
    this.selected ??= device;
    return { device, news };
  }

  /** The echo of an LED: the only thing that turns a lamp. @returns {object|null} the device */
  echo(etid, data) {
    const device = this.#byEtid.get(etid), message = parseLED(data);
    if (!message) return this.#ignore();
    if (!device) return null; // it has not announced itself to this page yet; its devinfo will tell the same
    const led = device.leds.find((led) => led.id === message.id);
    if (!led) return this.#ignore();
    led.on = message.on;
    led.pending = led.problem = null;
    return device;
  }

  /** @returns {object|null} the device */
  temperature(etid, data, now) {
    const device = this.#byEtid.get(etid), value = parseTemperature(data);
    if (value === null) return this.#ignore();
    if (!device) return null;
    this.#setTemperature(device, value, now);
    return device;
  }

  /** The broker says that the device has gone. @returns {object|null} the device */
  gone(etid, now) {
    this.hidden.delete(etid);
    const device = this.#byEtid.get(etid);
    if (!device) return null;
    this.#byEtid.delete(etid);
    this.#setAway(device, now);
    this.tidy(now);
    return device;
  }

  /** The broker is lost: every number is void and nobody knows what the LEDs do. */
  brokerLost() {
    for (const device of this.#byEtid.values()) {
      device.state = "unsure";
      device.etid = 0;
      for (const led of device.leds) led.pending = null;
    }
    this.#byEtid.clear();
    this.hidden.clear();
  }

  /** Some time after the broker is back: who has not announced itself is away. @returns {object[]} those */
  settle(now) {
    const missing = [...this.#devices.values()].filter((device) => device.state === "unsure");
    for (const device of missing) this.#setAway(device, now);
    this.tidy(now);
    return missing;
  }

  /** Forgets memories: old ones, and the oldest beyond a few. The chosen one stays. */
  tidy(now) {
    const away = [...this.#devices.values()].filter((device) => device.state === "away" && device !== this.selected)
      .sort((a, b) => b.since - a.since);
    away.forEach((device, index) => {
      if (index >= AWAY_LIMIT || now - device.since > AWAY_KEPT) this.#devices.delete(device.key);
    });
  }

  select(key) {
    this.selected = this.get(key) ?? this.selected;
    return this.selected;
  }

  /** Chooses another device when the chosen one is only a memory and the user did not choose it. */
  selectPresent() {
    if (this.selected?.state === "here") return;
    this.selected = this.list().find((device) => device.state === "here") ?? this.selected;
  }

  /**
   * The user presses LED `id`. The lamp does not change before the echo; a second press takes the first back.
   * @returns {{etid: number, data: Uint8Array}|null} what to publish; null when the device cannot be reached
   */
  press(device, id, now) {
    const led = device.leds.find((led) => led.id === id);
    if (!led || device.state !== "here") return null;
    const on = !(led.pending?.on ?? led.on);
    led.pending = { on, since: now };
    led.problem = null;
    return { etid: device.etid, data: Uint8Array.of(id, on ? 1 : 0) };
  }

  /** The command could not even be sent. */
  failed(device, id, problem) {
    const led = device.leds.find((led) => led.id === id);
    if (!led) return;
    led.pending = null;
    led.problem = problem;
  }

  /** Ends presses without echo. @returns {object[]} the devices that did not answer */
  expire(now) {
    const silent = new Set();
    for (const device of this.#byEtid.values()) {
      for (const led of device.leds) {
        if (!led.pending || now - led.pending.since < ECHO_TIMEOUT) continue;
        led.pending = null;
        led.problem = "No answer";
        silent.add(device);
      }
    }
    return [...silent];
  }

  #ignore() {
    this.ignored += 1;
    return null;
  }

  #memory(info) {
    for (const device of this.#devices.values()) {
      if (device.state !== "here" && device.ip === info.ip && device.name === info.name) return device;
    }
  }

  #setAway(device, now) {
    Object.assign(device, { state: "away", etid: 0, since: now });
    for (const led of device.leds) led.pending = led.problem = null;
  }

  #setTemperature(device, value, now) {
    device.temp = value;
    device.history.push({ at: now, value });
    if (device.history.length > HISTORY) device.history.shift();
  }
}

const collator = new Intl.Collator("en", { numeric: true });
const compare = (a, b) => collator.compare(a, b);

/**
 * A temperature history as SVG path data in a box of `width` by `height`: at most the last two minutes, the newest
 * value held until now. A young history fills the width too, so that a new user sees it move. At least 2 degrees
 * high, so that noise does not look like weather.
 * @param {{at: number, value: number}[]} history
 * @returns {{line: string, area: string, span: number}|null} span: milliseconds that the width stands for
 */
export function sparkline(history, now, { longest = 120000, shortest = 4000, width = 100, height = 40, inset = 4 } = {}) {
  if (history.length === 0) return null;
  const span = Math.min(longest, Math.max(shortest, now - history[0].at));
  const start = now - span;
  const before = history.findLast((point) => point.at <= start);
  const points = history.filter((point) => point.at > start);
  if (before) points.unshift({ at: start, value: before.value });
  points.push({ at: now, value: history.at(-1).value });
  const values = points.map((point) => point.value);
  const low = Math.min(...values), high = Math.max(...values), margin = Math.max(0, (20 - (high - low)) / 2);
  const round = (value) => Math.round(value * 100) / 100;
  const x = (at) => round(((at - start) / span) * width);
  const y = (value) => round(inset + (height - 2 * inset) * (1 - (value - low + margin) / (high - low + 2 * margin)));
  const line = points.map((point, index) => `${index ? "L" : "M"}${x(point.at)} ${y(point.value)}`).join("");
  return { line, area: `${line}V${height}H${x(points[0].at)}Z`, span };
}

/**
 * The command that starts a device at the broker of a page.
 * @param {URL} page with its token, if it has one
 */
export function startCommand(page) {
  const scheme = page.protocol === "https:" ? "smqs" : "smq", token = page.searchParams.get("token") ?? "";
  const broker = `${scheme}://${page.host}/smq.lsp`;
  // Somebody will paste this into a shell, and a link can carry any token: only a harmless one is repeated.
  return `LEDDemo --broker ${/^[\w-]+$/.test(token) ? `"${broker}?token=${token}"` : broker}`;
}
