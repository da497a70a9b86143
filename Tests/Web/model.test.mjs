import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceModel, ECHO_TIMEOUT, sparkline, startCommand } from "../../Sources/CWebAssets/page/model.js";

const info = (ip, name, on = false, more = {}) => JSON.stringify({ ipaddr: ip, devname: name, temp: 200,
  leds: [{ id: 1, name: "Red", color: "red", on }, { id: 2, name: "Blue", color: "blue", on: false }], ...more });
const names = (model) => model.list().map((device) => `${device.ip} ${device.name} ${device.state}`);

test("devices are keyed by ETID, listed by address as numbers, then by name", () => {
  const model = new DeviceModel();
  model.announce(1, info("10.0.0.10", "b"), 0);
  model.announce(2, info("10.0.0.9", "z"), 0);
  model.announce(3, info("10.0.0.10", "a"), 0);
  assert.equal(model.announce(1, info("10.0.0.10", "b"), 0).news, "update");
  assert.deepEqual(names(model), ["10.0.0.9 z here", "10.0.0.10 a here", "10.0.0.10 b here"]);
  assert.equal(model.here, 3);
  assert.equal(model.selected.etid, 1, "the first that came is chosen");
});

test("the lamp follows the echo, never the press", () => {
  const model = new DeviceModel();
  const { device } = model.announce(7, info("1", "d"), 0), led = device.leds[0];
  assert.deepEqual(model.press(device, 1, 100), { etid: 7, data: Uint8Array.of(1, 1) });
  assert.equal(led.on, false);
  assert.ok(led.pending);
  assert.equal(model.echo(7, Uint8Array.of(1, 1)), device);
  assert.equal(led.on, true);
  assert.equal(led.pending, null);
  assert.deepEqual(model.press(device, 1, 200).data, Uint8Array.of(1, 0));
  assert.deepEqual(model.press(device, 1, 300).data, Uint8Array.of(1, 1), "a second press takes the first back");
  assert.equal(model.press(device, 9, 300), null, "an LED that does not exist");
});

test("no echo in 2 s is said, and a late echo still counts", () => {
  const model = new DeviceModel();
  const { device } = model.announce(7, info("1", "d"), 0), led = device.leds[0];
  model.press(device, 1, 100);
  assert.deepEqual(model.expire(100 + ECHO_TIMEOUT - 1), []);
  assert.deepEqual(model.expire(100 + ECHO_TIMEOUT), [device]);
  assert.equal(led.pending, null);
  assert.ok(led.problem);
  assert.deepEqual(model.expire(9e9), []);
  model.echo(7, Uint8Array.of(1, 1));
  assert.equal(led.problem, null);
  assert.equal(led.on, true);
  model.press(device, 1, 200);
  model.failed(device, 1, "Could not be sent");
  assert.equal(led.problem, "Could not be sent");
});

test("a new devinfo settles presses that it agrees with and keeps the others", () => {
  const model = new DeviceModel();
  const { device } = model.announce(7, info("1", "d"), 0);
  model.press(device, 1, 0);
  model.press(device, 2, 0);
  model.announce(7, info("1", "d", true), 10);
  assert.equal(device.leds[0].on, true);
  assert.equal(device.leds[0].pending, null);
  assert.deepEqual(device.leds[1].pending, { on: true, since: 0 });
});

test("away and back: the entry stays the same, whatever its new ETID", () => {
  const model = new DeviceModel();
  const { device } = model.announce(7, info("1", "d", true), 0);
  model.press(device, 1, 0);
  assert.equal(model.gone(7, 500), device);
  assert.equal(model.gone(7, 500), null);
  assert.deepEqual([device.state, device.since, device.leds[0].pending], ["away", 500, null]);
  assert.equal(model.press(device, 1, 600), null);
  assert.equal(model.echo(7, Uint8Array.of(1, 1)), null, "its old number is void");
  const result = model.announce(8, info("1", "d"), 900);
  assert.equal(result.news, "back");
  assert.equal(result.device, device);
  assert.equal(model.selected, device);
  assert.equal(model.list().length, 1);
});

test("the broker is lost: nobody knows; back: who announces is here, the others are away", () => {
  const model = new DeviceModel();
  const one = model.announce(1, info("1", "a"), 0).device, two = model.announce(2, info("2", "b"), 0).device;
  model.press(one, 1, 0);
  model.brokerLost();
  assert.deepEqual(names(model), ["1 a unsure", "2 b unsure"]);
  assert.equal(one.leds[0].pending, null);
  assert.equal(model.press(one, 1, 1), null);
  assert.equal(model.announce(2, info("1", "a", true), 10).news, "update", "an old number of another device");
  assert.deepEqual(model.settle(3000), [two]);
  assert.deepEqual(names(model), ["1 a here", "2 b away"]);
  assert.equal(one.leds[0].on, true);
});

test("equal address and name: two devices stay two", () => {
  const model = new DeviceModel();
  model.announce(1, info("1", "same"), 0);
  model.announce(2, info("1", "same"), 0);
  assert.equal(model.list().length, 2);
  model.brokerLost();
  model.announce(3, info("1", "same"), 1);
  model.announce(4, info("1", "same"), 1);
  assert.equal(model.list().length, 2);
  assert.equal(model.here, 2);
});

test("memories are few and fade; the chosen one stays", () => {
  const model = new DeviceModel();
  for (let etid = 1; etid <= 30; etid += 1) model.announce(etid, info(`10.0.0.${etid}`, "d"), 0);
  const chosen = model.selected;
  for (let etid = 1; etid <= 30; etid += 1) model.gone(etid, etid);
  assert.equal(model.list().length, 9);
  model.tidy(100000);
  assert.deepEqual(model.list(), [chosen]);
});

test("at most so many devices, the rest is counted", () => {
  const model = new DeviceModel({ limit: 3 });
  for (let etid = 1; etid <= 5; etid += 1) model.announce(etid, info("1", `d${etid}`), 0);
  model.announce(5, info("1", "d5"), 0);
  assert.equal(model.list().length, 3);
  assert.equal(model.hidden.size, 2);
  model.gone(1, 0);
  assert.ok(model.announce(5, info("1", "d5"), 0));
  assert.equal(model.hidden.size, 1);
});

test("who is missed: neither known nor left out", () => {
  const model = new DeviceModel({ limit: 2 });
  model.announce(1, info("1", "a"), 0);
  assert.deepEqual([1, 2].map((etid) => model.misses(etid)), [false, true]);
  model.announce(2, info("1", "b"), 0);
  model.announce(3, info("1", "c"), 0);
  assert.deepEqual([2, 3, 4].map((etid) => model.misses(etid)), [false, false, false], "there is no room");
  model.gone(1, 0);
  assert.deepEqual([1, 2, 3, 4].map((etid) => model.misses(etid)), [true, false, false, true]);
});

test("a device that describes itself twice is shown once and is no news", () => {
  const model = new DeviceModel();
  const { device } = model.announce(7, info("1", "d", true), 0);
  model.press(device, 2, 5);
  for (const at of [10, 2500, 8000]) {
    const again = model.announce(7, info("1", "d", true), at);
    assert.equal(again.device, device);
    assert.equal(again.news, "update");
  }
  assert.equal(model.list().length, 1);
  assert.deepEqual(device.leds.map((led) => [led.id, led.on, led.pending?.on ?? null]), [[1, true, null], [2, false, true]]);
});

test("what is not understood is counted and changes nothing", () => {
  const model = new DeviceModel();
  const { device } = model.announce(7, info("1", "d"), 0), before = JSON.stringify(device);
  model.announce(7, "{}", 1);
  model.announce(8, "[".repeat(60000), 1);
  model.echo(7, Uint8Array.of(1));
  model.echo(7, Uint8Array.of(99, 1));
  model.temperature(7, Uint8Array.of(1), 1);
  assert.equal(model.ignored, 5);
  assert.equal(model.echo(9, Uint8Array.of(1, 1)), null, "of a device whose devinfo is still to come");
  assert.equal(model.temperature(9, Uint8Array.of(1, 1), 1), null);
  assert.equal(model.ignored, 5);
  assert.equal(JSON.stringify(device), before);
});

test("choosing: the user's choice, else somebody who is here", () => {
  const model = new DeviceModel();
  const one = model.announce(1, info("1", "a"), 0).device, two = model.announce(2, info("2", "b"), 0).device;
  assert.equal(model.select(two.key), two);
  assert.equal(model.select(999), two);
  model.gone(2, 1);
  assert.equal(model.selected, two);
  model.selectPresent();
  assert.equal(model.selected, one);
});

test("temperature history is bounded", () => {
  const model = new DeviceModel();
  const { device } = model.announce(7, info("1", "d"), 0);
  for (let index = 0; index < 1000; index += 1) model.temperature(7, Uint8Array.of(0, index % 256), index);
  assert.equal(device.history.length, 240);
  assert.equal(device.temp, 999 % 256);
});

test("sparkline: finite numbers inside the box, newest at the right", () => {
  assert.equal(sparkline([], 0), null);
  const cases = [[{ at: 0, value: 200 }], [{ at: 0, value: -32768 }, { at: 1, value: 32767 }],
    [{ at: -1e6, value: 1 }, { at: 100, value: 5 }, { at: 100, value: 90 }]];
  for (const history of cases) {
    for (const now of [100, 1000, 1e6, 1e9]) {
      const { line, area, span } = sparkline(history, now);
      assert.ok(span >= 4000 && span <= 120000);
      assert.doesNotMatch(line + area, /NaN|Infinity|e/);
      const points = line.slice(1).split("L").map((point) => point.split(" ").map(Number));
      for (const [x, y] of points) assert.ok(x >= 0 && x <= 100 && y >= 0 && y <= 40, line);
      assert.equal(points.at(-1)[0], 100);
    }
  }
});

test("the command that starts a device repeats the token, but nothing that a shell would obey", () => {
  const command = (page) => startCommand(new URL(page));
  assert.equal(command("http://127.0.0.1:8080/"), "LEDDemo --broker smq://127.0.0.1:8080/smq.lsp");
  assert.equal(command("https://pi.example/?token=0aF-_9"), 'LEDDemo --broker "smqs://pi.example/smq.lsp?token=0aF-_9"');
  for (const token of ["$(reboot)", "%22;reboot;%22", "%60x%60", "a%0Ab", "a b", "", "%5C"]) {
    assert.equal(command(`http://pi/?token=${token}`), "LEDDemo --broker smq://pi/smq.lsp");
  }
});
