import assert from "node:assert/strict";
import { test } from "node:test";
import { Greeter, REPEATS, SPACING, STRANGER_SPACING } from "../../Sources/CWebAssets/page/hello.js";
import { ManualClock } from "./fakes.mjs";

function greeter() {
  const clock = new ManualClock(), said = [];
  return { clock, said, greeter: new Greeter(() => said.push(clock.now()), clock) };
}

test("Hello at once, some times more, and then no more", () => {
  const { clock, said, greeter: page } = greeter();
  page.connected();
  assert.deepEqual(said, [0]);
  clock.advance(3600_000);
  assert.deepEqual(said, [0, ...REPEATS]);
  assert.equal(clock.timers, 0);
});

test("after a device went away it is said again, not at once", () => {
  const { clock, said, greeter: page } = greeter();
  page.connected();
  clock.advance(100_000);
  said.length = 0;
  page.gone();
  assert.deepEqual(said, []);
  clock.advance(3600_000);
  assert.deepEqual(said, REPEATS.map((delay) => 100_000 + delay));
});

test("many devices that go together share what is said", () => {
  const { clock, said, greeter: page } = greeter();
  page.connected();
  clock.advance(100_000);
  said.length = 0;
  for (let index = 0; index < 500; index += 1) {
    page.gone();
    clock.advance(1);
  }
  clock.advance(3600_000);
  assert.ok(said.length <= 2 * REPEATS.length, `${said}`);
  assert.ok(said.at(-1) >= 100_499 + REPEATS.at(-1) - SPACING, "the last of them still has its time");
});

test("devices that come and go without end do not make it say Hello faster than once a second", () => {
  const { clock, said, greeter: page } = greeter();
  page.connected();
  for (let index = 0; index < 6000; index += 1) {
    page.gone();
    if (index % 7 === 0) page.stranger();
    clock.advance(10);
  }
  for (let index = 1; index < said.length; index += 1) assert.ok(said[index] - said[index - 1] >= SPACING, `${said}`);
  assert.ok(said.length >= 20, "and it does say it");
  assert.ok(clock.timers <= 1);
  clock.advance(3600_000);
  assert.equal(clock.timers, 0, "it ends");
});

test("a stranger is asked who it is, seldom", () => {
  const { clock, said, greeter: page } = greeter();
  page.connected();
  clock.advance(100_000);
  said.length = 0;
  for (let index = 0; index < 1000; index += 1) {
    page.stranger();
    clock.advance(20);
  }
  clock.advance(60_000);
  assert.equal(said[0], 100_000, "at once, when none was said lately");
  assert.ok(said.length <= 2 + 20_000 / STRANGER_SPACING, `${said}`);
});

test("without a session nothing is said, and the next begins anew", () => {
  const { clock, said, greeter: page } = greeter();
  page.gone();
  page.stranger();
  clock.advance(60_000);
  page.connected();
  clock.advance(500);
  page.lost();
  page.gone();
  page.stranger();
  clock.advance(60_000);
  assert.deepEqual(said, [60_000]);
  assert.equal(clock.timers, 0);
  page.connected();
  clock.advance(3600_000);
  assert.deepEqual(said.slice(1), [120_500, ...REPEATS.map((delay) => 120_500 + delay)]);
});
