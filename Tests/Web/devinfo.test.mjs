import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS, cleanText, parseDevinfo, parseLED, parseTemperature } from
  "../../Sources/CWebAssets/page/devinfo.js";
import { DISPLAY_SESSION } from "./recorded.mjs";

const LED = { id: 1, name: "Red", color: "red", on: false };
const INFO = { ipaddr: "10.0.0.2", devname: "Pi", leds: [LED], temp: 215 };
const PINS = Array.from({ length: 40 }, (_, index) => ({ pin: index + 1, kind: "gpio", signal: `GPIO${index}` }));
const BOARD = { name: "rpi4", model: "Raspberry Pi 4 Model B Rev 1.4", simulated: true, pins: PINS };
const parse = (changes) => parseDevinfo(JSON.stringify({ ...INFO, ...changes }));

test("the recorded devinfo of a foreign device", () => {
  const frame = DISPLAY_SESSION.find(({ from, name, bytes }) => from === "broker" && name === "Publish" && bytes.length > 50);
  const info = parseDevinfo(Buffer.from(frame.bytes.subarray(13)).toString());
  assert.equal(info.ip, "127.0.0.1");
  assert.equal(info.name, "Simulated Device: vm");
  assert.equal(info.temp, 200);
  assert.equal(info.board, null);
  assert.deepEqual(info.leds.map((led) => [led.id, led.color, led.on, led.pin, led.line]),
    [[1, "red", false, null, null], [2, "yellow", false, null, null], [3, "green", false, null, null],
      [4, "blue", false, null, null]]);
});

test("our own devices' extra keys", () => {
  const info = parse({ board: BOARD, leds: [{ ...LED, pin: 11, line: "GPIO17" }] });
  assert.equal(info.board.model, BOARD.model);
  assert.equal(info.board.simulated, true);
  assert.equal(info.board.pins.length, 40);
  assert.deepEqual([info.leds[0].pin, info.leds[0].line], [11, "GPIO17"]);
});

test("how a device reaches its cluster", () => {
  const cluster = { node: "smq://a (10.0.0.1:80)", standby: "smq://b", moves: 2,
    last: { from: "smq://c", gap: 12, reason: "the connection was lost" } };
  assert.deepEqual(parse({ cluster }).cluster, { ...cluster, waiting: 0, dropped: 0 });
  assert.deepEqual(parse({ cluster: { node: "n", moves: 0, waiting: 3, dropped: "x" } }).cluster,
    { node: "n", moves: 0, standby: null, last: null, waiting: 3, dropped: 0 });
  // Wrong text costs the line, not the device.
  for (const bad of [1, [], "x", {}, { node: 1, moves: 0 }, { node: "n" }, { node: "n", moves: -1 }, { node: "n", moves: "2" }]) {
    assert.equal(parse({ cluster: bad }).cluster, null);
  }
  assert.equal(parse({ cluster: { node: "n", moves: 1, last: { gap: -1 } } }).cluster.last, null);
  assert.equal(parse({ cluster: { node: `a${"\u202e".repeat(9)}b`, moves: 0 } }).cluster.node, "a b");
});

test("what is not devinfo is refused whole", () => {
  const bad = [
    { ipaddr: 1 }, { ipaddr: null }, { devname: {} }, { leds: {} }, { leds: null }, { leds: "x" }, { temp: "20" },
    { temp: 1.5 }, { temp: 40000 }, { temp: null }, { leds: [null] }, { leds: [[]] }, { leds: [{ ...LED, id: "1" }] },
    { leds: [{ ...LED, id: -1 }] }, { leds: [{ ...LED, id: 256 }] }, { leds: [{ ...LED, id: 1.5 }] },
    { leds: [{ ...LED, name: 7 }] }, { leds: [{ ...LED, color: ["red"] }] }, { leds: [{ ...LED, on: 1 }] },
    { leds: [LED, LED] }, { leds: Array.from({ length: LIMITS.leds + 1 }, (_, id) => ({ ...LED, id })) },
  ];
  for (const changes of bad) assert.equal(parse(changes), null, JSON.stringify(changes));
  for (const text of ["", "null", "1", "\"x\"", "[]", "{}", "{", "Hello", "\0", "NaN", JSON.stringify([INFO])]) {
    assert.equal(parseDevinfo(text), null, text);
  }
  assert.ok(parse({ leds: [] }), "a device without LEDs is a device");
  assert.ok(parse({ leds: Array.from({ length: 16 }, (_, index) => ({ ...LED, id: 255 - index })) }));
});

test("deep, huge and poisoned JSON is an answer, not an exception", () => {
  assert.equal(parseDevinfo("[".repeat(65000)), null);
  assert.equal(parseDevinfo("[".repeat(32000) + "]".repeat(32000)), null);
  assert.equal(parseDevinfo('{"a":'.repeat(13000) + "1" + "}".repeat(13000)), null);
  assert.equal(parseDevinfo(" ".repeat(LIMITS.bytes) + JSON.stringify(INFO)), null);
  const deep = `{"ipaddr":"1","devname":"d","leds":[],"board":${'{"pins":'.repeat(7000)}1${"}".repeat(7000)}}`;
  assert.equal(parseDevinfo(deep).board, null);
  assert.equal(parseDevinfo('{"__proto__":{"ipaddr":"1","devname":"d","leds":[]}}'), null);
  parseDevinfo('{"__proto__":{"polluted":true},"ipaddr":"1","devname":"d","leds":[]}');
  assert.equal({}.polluted, undefined);
  assert.equal(parseDevinfo('{"ipaddr":"1","devname":"d","leds":{"length":1e9}}'), null);
});

test("texts are cut and cleaned, never refused", () => {
  const info = parse({ devname: "x".repeat(60000), ipaddr: " 10.0.0.2\n\t", leds: [{ ...LED, name: "a\u202eb\u0000c\u200bd" }] });
  assert.equal([...info.name].length, LIMITS.name);
  assert.ok(info.name.endsWith("…"));
  assert.equal(info.ip, "10.0.0.2");
  assert.equal(info.leds[0].name, "a b c d");
  assert.equal(parse({ devname: "\u200b\n " }).name, "Unnamed device");
  assert.equal(parse({ ipaddr: "" }).ip, "no address");
  assert.equal(parse({ leds: [{ ...LED, name: "" }] }).leds[0].name, "LED 1");
  assert.equal(cleanText("😀".repeat(10), 5), "😀😀😀😀…");
  assert.equal(cleanText("\ud800x", 5), "x");
  assert.equal(parse({ devname: "<img src=x onerror=alert(1)>" }).name, "<img src=x onerror=alert(1)>");
  assert.equal(parse({ leds: [{ ...LED, color: "\"><script>" }] }).leds[0].color, "white");
  assert.equal(parse({ leds: [{ ...LED, color: "constructor" }] }).leds[0].color, "white");
});

test("a wrong board costs the drawing, not the device", () => {
  const bad = [null, 7, [], {}, { ...BOARD, model: 1 }];
  for (const board of bad) assert.equal(parse({ board }).board, null);
  const badPins = [null, {}, [], "x", [...PINS, { pin: 41, kind: "gpio", signal: "x" }], [PINS[0], PINS[0]],
    [{ pin: 0, kind: "gpio", signal: "x" }], [{ pin: 1, kind: 1, signal: "x" }], [{ pin: 1, kind: "gpio" }], [null]];
  for (const pins of badPins) assert.equal(parse({ board: { ...BOARD, pins } }).board.pins, null, JSON.stringify(pins));
  assert.equal(parse({ board: { ...BOARD, simulated: "yes" } }).board.simulated, false);
  assert.equal(parse({ board: { ...BOARD, pins: [{ pin: 5, kind: "toString", signal: "s" }] } }).board.pins[0].kind, "other");
  const leds = [{ ...LED, pin: 11 }, { ...LED, id: 2, pin: 11 }, { ...LED, id: 3, pin: 99 }, { ...LED, id: 4, pin: "5", line: 5 }];
  assert.deepEqual(parse({ leds }).leds.map((led) => led.pin), [11, null, null, null]);
});

test("LED and temperature messages", () => {
  assert.deepEqual(parseLED(Uint8Array.of(2, 1)), { id: 2, on: true });
  assert.deepEqual(parseLED(Uint8Array.of(255, 0)), { id: 255, on: false });
  for (const bad of [[], [1], [1, 2], [1, 1, 1]]) assert.equal(parseLED(Uint8Array.from(bad)), null);
  assert.equal(parseTemperature(Uint8Array.of(0, 215)), 215);
  assert.equal(parseTemperature(Uint8Array.of(255, 206)), -50);
  assert.equal(parseTemperature(Uint8Array.of(9, 9, 0, 10).subarray(2)), 10);
  for (const bad of [[], [1], [1, 2, 3]]) assert.equal(parseTemperature(Uint8Array.from(bad)), null);
});
