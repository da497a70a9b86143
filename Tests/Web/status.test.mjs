// What the status page shows of /status.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, amount, bytes, links, missing, numbers, share, short } from "../../Sources/CWebAssets/page/status-model.js";

test("numbers in words", () => {
  assert.equal(amount(1234567), "1\u202f234\u202f567");
  assert.equal(amount(999.6), "1\u202f000");
  assert.deepEqual([7, 999999, 12345678, 98765432109].map(short), ["7", "999\u202f999", "12.35 M", "98.77 G"]);
  assert.deepEqual([0, 1023, 1024, 1536, 200 * 1024, 5 * 2 ** 30, 5 * 2 ** 40].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "200 KiB", "5.0 GiB", "5120 GiB"]);
  assert.deepEqual([0, 59.9, 60, 3661, 90000, 86400].map(ago), ["0 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h", "1 d"]);
  assert.deepEqual([0.0123, 1.5].map(share), ["1.2 %", "150 %"]);
});

const status = {
  connections: 3, topics: 2, queuedBytes: 0, cpu: 0.5, memory: 1 << 20,
  messages: { receivedPerSecond: 1, deliveredPerSecond: 2, received: 3, delivered: 4 },
};

test("a broker that stands alone has no nodes", () => {
  assert.equal(numbers(status).length, 9);
  assert.deepEqual([links(status), missing(status)], [[], []]);
});

test("links say how their nodes do, as far as they tell", () => {
  const link = { name: "b", address: "10.0.0.2", up: true, queuedBytes: 0, sent: 1, received: 2 };
  const told = { connections: 7, cpu: 0.1, memory: 2048, draining: false };
  const rows = links({ peers: [link, { ...link, ...told }, { ...link, ...told, draining: true }, { ...link, up: false }] });
  assert.deepEqual(rows.map((row) => row[2].text), ["up", "up", "drains", "down"]);
  assert.deepEqual(rows.map((row) => row[3].text), ["–", "7", "7", "–"]);
});

test("addresses without a link say why", () => {
  const addresses = [
    { address: "10.0.0.1:1900", own: true, up: false, failure: null },
    { address: "10.0.0.2:1900", own: false, up: true, failure: null },
    { address: "10.0.0.3:1900", own: false, up: false, failure: "refused" },
    { address: "10.0.0.4:1900", own: false, up: false, failure: null },
  ];
  assert.deepEqual(missing({ addresses }).map((row) => row.map((cell) => cell.text)), [["10.0.0.3:1900", "refused"], ["10.0.0.4:1900", "not tried yet"]]);
});
