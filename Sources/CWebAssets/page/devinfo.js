// devinfo: what a device says about itself (SMQ LED demo contract), and the keys that our own devices add.
// It comes from whoever can reach the broker, so nothing in it is believed before it was checked here.

/** Limits of a believable device. */
export const LIMITS = Object.freeze({ bytes: 65520, leds: 16, name: 64, address: 64, signal: 16, line: 32, pins: 40 });

/** The colours of the contract; anything else is shown as white. */
export const COLORS = Object.freeze(["red", "yellow", "green", "blue"]);
const PIN_KINDS = ["power", "ground", "gpio", "adc"];

/**
 * Text that is safe to show in one line: no control, direction-changing or invisible characters, bounded.
 * @param {string} value @param {number} limit in characters
 */
export function cleanText(value, limit) {
  // A message may be 64 KB of spaces: cut before the expressions look at it.
  const text = value.slice(0, 1024).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu, " ").replace(/\s+/g, " ").trim();
  const characters = [...text];
  return characters.length <= limit ? text : characters.slice(0, limit - 1).join("").trimEnd() + "…";
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const own = (object, key) => (Object.hasOwn(object, key) ? object[key] : undefined);
const isInteger = (value, low, high) => Number.isInteger(value) && value >= low && value <= high;

/**
 * Reads devinfo.
 * @param {string} text JSON
 * @returns {{ip: string, name: string, temp: number|null, board: object|null,
 *   leds: {id: number, name: string, color: string, on: boolean, pin: number|null, line: string|null}[]}|null}
 *   null when it is not devinfo. `temp` is in tenths of a degree Celsius.
 */
export function parseDevinfo(text) {
  if (text.length > LIMITS.bytes) return null;
  let json;
  try { json = JSON.parse(text); } catch { return null; }
  if (!isObject(json)) return null;
  const ip = own(json, "ipaddr"), name = own(json, "devname"), leds = own(json, "leds"), temp = own(json, "temp");
  if (typeof ip !== "string" || typeof name !== "string" || !Array.isArray(leds)) return null;
  if (leds.length > LIMITS.leds) return null;
  if (temp !== undefined && !isInteger(temp, -32768, 32767)) return null;
  const read = leds.map(readLED);
  if (read.includes(null)) return null;
  if (new Set(read.map((led) => led.id)).size !== read.length) return null;
  dropDoubledPins(read);
  return {
    ip: cleanText(ip, LIMITS.address) || "no address",
    name: cleanText(name, LIMITS.name) || "Unnamed device",
    temp: temp ?? null,
    leds: read,
    board: readBoard(own(json, "board")),
    cluster: readCluster(own(json, "cluster")),
  };
}

function readLED(led) {
  if (!isObject(led)) return null;
  const id = own(led, "id"), name = own(led, "name"), color = own(led, "color"), on = own(led, "on");
  if (!isInteger(id, 0, 255) || typeof name !== "string" || typeof color !== "string" || typeof on !== "boolean") {
    return null;
  }
  const pin = own(led, "pin"), line = own(led, "line");
  return {
    id, on,
    name: cleanText(name, LIMITS.name) || `LED ${id}`,
    color: COLORS.includes(color) ? color : "white",
    pin: isInteger(pin, 1, LIMITS.pins) ? pin : null,
    line: typeof line === "string" ? cleanText(line, LIMITS.line) || null : null,
  };
}

/** Two LEDs cannot be drawn on one pin; the switches work all the same. */
function dropDoubledPins(leds) {
  const seen = new Set();
  for (const led of leds) {
    if (led.pin === null) continue;
    if (seen.has(led.pin)) led.pin = null;
    seen.add(led.pin);
  }
}

/** How the device reaches its cluster: node, standby, number of moves, the last one. Wrong text costs this line only. */
function readCluster(cluster) {
  if (!isObject(cluster)) return null;
  const text = (value) => (typeof value === "string" ? cleanText(value, 100) || null : null);
  const node = text(own(cluster, "node")), moves = own(cluster, "moves"), last = own(cluster, "last");
  if (node === null || !isInteger(moves, 0, Number.MAX_SAFE_INTEGER)) return null;
  const gap = isObject(last) ? own(last, "gap") : null;
  const count = (name) => (isInteger(own(cluster, name), 0, Number.MAX_SAFE_INTEGER) ? own(cluster, name) : 0);
  return {
    node, moves, waiting: count("waiting"), dropped: count("dropped"), standby: text(own(cluster, "standby")),
    last: isInteger(gap, 0, 1e12) ? { gap, from: text(own(last, "from")), reason: text(own(last, "reason")) } : null,
  };
}

/** A wrong board costs the drawing, not the device. */
function readBoard(board) {
  if (!isObject(board)) return null;
  const model = own(board, "model"), simulated = own(board, "simulated"), pins = own(board, "pins");
  if (typeof model !== "string") return null;
  return { model: cleanText(model, LIMITS.name), simulated: simulated === true, pins: readPins(pins) };
}

function readPins(pins) {
  if (!Array.isArray(pins) || pins.length === 0 || pins.length > LIMITS.pins) return null;
  const read = [];
  for (const entry of pins) {
    if (!isObject(entry)) return null;
    const pin = own(entry, "pin"), kind = own(entry, "kind"), signal = own(entry, "signal");
    if (!isInteger(pin, 1, LIMITS.pins) || typeof signal !== "string" || typeof kind !== "string") return null;
    read.push({ pin, kind: PIN_KINDS.includes(kind) ? kind : "other", signal: cleanText(signal, LIMITS.signal) });
  }
  return new Set(read.map((entry) => entry.pin)).size === read.length ? read.sort((a, b) => a.pin - b.pin) : null;
}

/** An LED echo or command: exactly id and 0 or 1. @param {Uint8Array} data */
export function parseLED(data) {
  return data.length === 2 && data[1] <= 1 ? { id: data[0], on: data[1] === 1 } : null;
}

/** A temperature message: int16, tenths of a degree Celsius. @param {Uint8Array} data @returns {number|null} */
export function parseTemperature(data) {
  return data.length === 2 ? new DataView(data.buffer, data.byteOffset, 2).getInt16(0) : null;
}
