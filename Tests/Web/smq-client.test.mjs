import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffDelay } from "../../Sources/CWebAssets/page/smq-settings.js";
import { SMQClient, brokerURL, randomUid } from "../../Sources/CWebAssets/page/smq.js";
import { ManualClock, broker, fakeWebSocket, words } from "./fakes.mjs";
import { DISPLAY_SESSION } from "./recorded.mjs";

const DEVICE = "/m2m/led/device", DISPLAY = "/m2m/led/display", TEMP = "/m2m/temp";

/** A client with its fakes. `open()` brings it to connected and forgets what it sent so far except `sent`. */
function setUp(options = {}) {
  const clock = new ManualClock(), WebSocket = fakeWebSocket();
  const client = new SMQClient({ url: "ws://broker:80/smq.lsp", uid: "uid-123456", clock, WebSocket, random: () => 0.5,
    ...options });
  const states = [], faults = [], pings = [], denied = [];
  client.addEventListener("state", (event) => states.push(event.detail));
  client.addEventListener("fault", (event) => faults.push(event.detail.error));
  client.addEventListener("ping", (event) => pings.push(event.detail.rtt));
  client.addEventListener("denied", (event) => denied.push(event.detail));
  const accept = (etid = 0x1000) => {
    WebSocket.last.receive(broker.init());
    WebSocket.last.receive(broker.connack(etid));
    const sent = WebSocket.last.take().map(words);
    WebSocket.last.receive(broker.pong());
    return sent;
  };
  const open = (etid) => { client.connect(); return accept(etid); };
  return { clock, WebSocket, client, states, faults, pings, denied, accept, open, get ws() { return WebSocket.last; } };
}

test("the recorded display session, from Init to the LED echo", () => {
  const fake = setUp({ uid: "pydisp-b88ec3e5", info: "display" });
  const { client } = fake;
  const infos = [], echoes = [];
  client.subscribe("self", (message) => infos.push(message), { subtopic: "devinfo" });
  client.subscribe(DEVICE, (message) => infos.push(message), { subtopic: "devinfo" });
  client.subscribe(DEVICE, (message) => echoes.push([message.from, ...message.data]), { subtopic: "led" });
  client.subscribe(TEMP, () => {});
  client.publish("Hello", DISPLAY);
  client.connect();
  const ours = [];
  for (const { from, bytes } of DISPLAY_SESSION) {
    if (from === "broker") fake.ws.receive(bytes);
    ours.push(...fake.ws.take());
    if (infos.length === 1 && ours.every((frame) => frame[0] !== 14)) {
      client.observe(infos[0].from, () => {});
      client.publish(Uint8Array.of(2, 1), infos[0].from);
    }
  }
  client.close();
  ours.push(...fake.ws.take());
  // The order among requests is ours; the bytes of each are determined, but for the Pings that the recorded
  // client did not send.
  const sorted = (frames) => frames.map((frame) => Buffer.from(frame).toString("hex")).sort();
  const recorded = DISPLAY_SESSION.filter((frame) => frame.from === "client").map((frame) => frame.bytes);
  assert.deepEqual(sorted(ours.filter((frame) => frame[0] !== 12)), sorted(recorded));
  assert.equal(infos[0].from, 0x088940e3);
  assert.equal(infos[0].topic, "self");
  assert.equal(infos[0].subtopic, "devinfo");
  assert.equal(infos[0].json().leds.length, 4);
  assert.deepEqual(echoes, [[0x088940e3, 2, 1]]);
});

test("requests go out in an order that makes the first message find its handler", () => {
  const fake = setUp();
  fake.client.subscribe(DEVICE, () => {}, { subtopic: "devinfo" });
  fake.client.subscribe("self", () => {}, { subtopic: "devinfo" });
  fake.client.publish("Hello", DISPLAY);
  assert.deepEqual(fake.open(),
    ["connect", "createsub devinfo", `subscribe ${DEVICE}`, `create ${DISPLAY}`, "ping"]);
  fake.ws.receive(broker.createack(9, DISPLAY));
  assert.deepEqual(fake.ws.take().map(words), ["publish 9 as 4096 sub 0 Hello"]);
});

test("dispatch: exact sub-topic first, then the topic's catch-all, then a counter", () => {
  const fake = setUp(), got = [];
  fake.client.subscribe("/t", (message) => got.push(`exact ${message.text()}`), { subtopic: "a" });
  fake.client.subscribe("/t", (message) => got.push(`all ${message.subtopic} ${message.text()}`));
  fake.client.subscribe("/only", () => got.push("wrong"), { subtopic: "a" });
  fake.open();
  for (const frame of [broker.createsuback(50, "a"), broker.suback(7, "/t"), broker.suback(8, "/only"),
    broker.publish(7, 2, 50, "1"), broker.publish(7, 2, 0, "2"), broker.publish(7, 2, 51, "3"),
    broker.publish(8, 2, 0, "4"), broker.publish(99, 2, 0, "5"), broker.publish(0x1000, 2, 0, "6")]) {
    fake.ws.receive(frame);
  }
  assert.deepEqual(got, ["exact 1", "all null 2", "all null 3"]);
  assert.equal(fake.client.stats.unrouted, 3);
  assert.equal(fake.client.state, "connected");
});

test("a name is resolved once per connection, and the order within a topic is kept", () => {
  const fake = setUp();
  fake.open();
  assert.equal(fake.client.publish("1", "/t", { subtopic: "s" }), true);
  assert.equal(fake.client.publish("2", "/t"), true);
  assert.equal(fake.client.publish("x", "/other"), true);
  assert.deepEqual(fake.ws.take().map(words), ["create /t", "createsub s", "create /other"]);
  fake.ws.receive(broker.createack(7, "/t"));
  assert.deepEqual(fake.ws.take(), [], "2 must not overtake 1, which waits for its sub-topic");
  fake.ws.receive(broker.createack(8, "/other"));
  fake.ws.receive(broker.createsuback(50, "s"));
  assert.deepEqual(fake.ws.take().map(words),
    ["publish 8 as 4096 sub 0 x", "publish 7 as 4096 sub 50 1", "publish 7 as 4096 sub 0 2"]);
  fake.client.publish("3", "/t", { subtopic: "s" });
  assert.deepEqual(fake.ws.take().map(words), ["publish 7 as 4096 sub 50 3"]);
  fake.client.publish("me", "self");
  assert.deepEqual(fake.ws.take().map(words), ["publish 4096 as 4096 sub 0 me"]);
  assert.equal(fake.client.stats.sent, 5);
});

test("after a loss: new numbers, subscribed and observed again, commands not replayed", () => {
  const fake = setUp(), got = [], counts = [];
  fake.client.subscribe("/t", (message) => got.push(message.text()), { subtopic: "s" });
  fake.client.observe("/watched", (count) => counts.push(count));
  assert.deepEqual(fake.open(0x1000), ["connect", "createsub s", "subscribe /t", "create /watched", "ping"]);
  fake.ws.receive(broker.createsuback(50, "s"));
  fake.ws.receive(broker.suback(7, "/t"));
  fake.ws.receive(broker.createack(8, "/watched"));
  assert.deepEqual(fake.ws.take().map(words), ["observe 8"]);
  fake.ws.receive(broker.change(8, 3));
  fake.client.publish("waiting for an id", "/slow");
  assert.equal(fake.client.pending, 1);
  fake.ws.drop();
  assert.equal(fake.client.state, "waiting");
  assert.equal(fake.client.etid, 0);
  assert.equal(fake.client.stats.droppedLost, 1);
  assert.equal(fake.client.publish(Uint8Array.of(1, 1), 0x2222), false);
  assert.equal(fake.client.publish("late", "/t"), false);
  assert.equal(fake.client.stats.droppedOffline, 2);
  fake.clock.advance(50);
  assert.equal(fake.WebSocket.sockets.length, 2);
  assert.deepEqual(fake.accept(0x2000), ["connect", "createsub s", "subscribe /t", "create /watched", "ping"]);
  fake.ws.receive(broker.createsuback(7, "s")); // the numbers of before, with other meanings
  fake.ws.receive(broker.suback(50, "/t"));
  fake.ws.receive(broker.createack(9, "/watched"));
  assert.deepEqual(fake.ws.take().map(words), ["observe 9"]);
  fake.ws.receive(broker.publish(7, 2, 50, "old numbers"));
  fake.ws.receive(broker.publish(50, 2, 7, "new numbers"));
  fake.ws.receive(broker.change(9, 1));
  assert.deepEqual(got, ["new numbers"]);
  assert.deepEqual(counts, [3, 1]);
  assert.equal(fake.client.stats.losses, 1);
  assert.equal(fake.client.stats.connects, 2);
});

test("an observed peer is told once and forgotten with the connection; Unobserve is never sent", () => {
  const fake = setUp(), gone = [];
  assert.equal(fake.client.observe(77, () => {}), false);
  fake.open();
  fake.client.observe(77, (count) => gone.push([77, count]));
  fake.client.observe(77, (count) => gone.push([770, count]));
  fake.client.observe(78, (count) => gone.push([78, count]));
  fake.client.unobserve(78);
  assert.deepEqual(fake.ws.take().map(words), ["observe 77", "observe 78"]);
  fake.ws.receive(broker.change(77, 0));
  fake.ws.receive(broker.change(77, 0));
  fake.ws.receive(broker.change(78, 0));
  fake.ws.receive(broker.change(1234, 5));
  assert.deepEqual(gone, [[770, 0]]);
  fake.client.observe(79, (count) => gone.push([79, count]));
  fake.ws.drop();
  fake.clock.advance(50);
  fake.accept();
  fake.ws.receive(broker.change(79, 0));
  assert.deepEqual(gone, [[770, 0]], "the same number is somebody else now");
  fake.client.observe(79, () => {});
  assert.deepEqual(fake.ws.take().map(words), ["observe 79"]);
  fake.client.observe("/name", () => {});
  fake.client.unobserve("/name");
  assert.ok(fake.WebSocket.sockets.every((ws) => ws.sent.every((frame) => frame[0] !== 15)));
});

test("unsubscribe: at once, or when the number arrives", () => {
  const fake = setUp();
  fake.open();
  fake.client.subscribe("/t", () => {});
  fake.client.subscribe("/t", () => {}, { subtopic: "s" });
  fake.ws.receive(broker.suback(7, "/t"));
  fake.ws.take();
  fake.client.unsubscribe("/t", { subtopic: "s" });
  assert.deepEqual(fake.ws.take(), [], "the catch-all is still there");
  fake.client.unsubscribe("/t");
  fake.client.unsubscribe("/t");
  assert.deepEqual(fake.ws.take().map(words), ["unsubscribe 7"]);
  fake.client.subscribe("/u", () => {});
  fake.client.unsubscribe("/u");
  assert.deepEqual(fake.ws.take().map(words), ["subscribe /u"]);
  fake.ws.receive(broker.suback(8, "/u"));
  assert.deepEqual(fake.ws.take().map(words), ["unsubscribe 8"]);
  fake.client.subscribe("/t", () => {});
  assert.deepEqual(fake.ws.take().map(words), ["subscribe /t"]);
});

test("the waiting queue is bounded, counted and ages", () => {
  const fake = setUp({ pendingLimit: 3, pendingAge: 1000 });
  for (let index = 0; index < 5; index += 1) fake.client.publish(String(index), "/t");
  assert.equal(fake.client.pending, 3);
  assert.equal(fake.client.stats.droppedFull, 2);
  assert.equal(fake.client.publish("x", 99), false, "a number means nothing on a later connection");
  assert.equal(fake.client.stats.droppedOffline, 1);
  fake.client.connect();
  fake.ws.drop();
  assert.equal(fake.client.pending, 3, "the first connection is still to come");
  fake.clock.advance(900);
  fake.client.publish("full", "/t");
  fake.clock.advance(200);
  fake.accept();
  fake.ws.receive(broker.createack(7, "/t"));
  assert.deepEqual(fake.ws.take(), []);
  assert.equal(fake.client.stats.droppedOld, 3);
  assert.equal(fake.client.pending, 0);
});

test("queued data is a copy, and a full socket drops instead of growing", () => {
  const fake = setUp({ bufferLimit: 100 });
  fake.open();
  const data = Uint8Array.of(1, 2);
  fake.client.publish(data, "/t");
  data[0] = 9;
  fake.ws.take();
  fake.ws.receive(broker.createack(7, "/t"));
  assert.deepEqual([...fake.ws.take()[0].subarray(13)], [1, 2]);
  fake.ws.bufferedAmount = 101;
  assert.equal(fake.client.publish("x", "/t"), false);
  assert.equal(fake.client.stats.droppedFull, 1);
});

test("who may not subscribe to a topic may still publish to it, and the other way round", () => {
  const fake = setUp();
  fake.open();
  fake.client.subscribe("/out", () => {});
  fake.client.publish("1", "/out");
  fake.ws.take();
  fake.ws.receive(broker.suback(0, "/out", 1));
  assert.equal(fake.client.pending, 1);
  fake.ws.take();
  fake.ws.receive(broker.createack(6, "/out"));
  assert.deepEqual([fake.client.pending, fake.client.stats.sent, fake.client.stats.droppedDenied], [0, 1, 0]);
  // A Create that was on its way already is not sent again, and its answer counts.
  fake.client.publish("1", "/both");
  fake.client.subscribe("/both", () => {});
  fake.ws.take();
  fake.ws.receive(broker.suback(0, "/both", 1));
  assert.deepEqual(fake.ws.take(), []);
  fake.ws.receive(broker.createack(7, "/both"));
  assert.deepEqual([fake.client.pending, fake.client.stats.sent], [0, 2]);
  const heard = [];
  fake.client.publish("1", "/in");
  fake.client.subscribe("/in", (message) => heard.push(message));
  fake.ws.receive(broker.createack(0, "/in", 1));
  fake.ws.receive(broker.suback(8, "/in"));
  fake.ws.receive(broker.publish(8, 2, 0, "x"));
  assert.deepEqual([heard.length, fake.client.stats.droppedDenied], [1, 1]);
});

test("denied topics and sub-topics are told, and what waited for them is dropped", () => {
  const fake = setUp();
  fake.open();
  fake.client.subscribe("/no", () => {});
  fake.client.publish("1", "/secret");
  fake.client.publish("2", "/fine", { subtopic: "bad" });
  fake.ws.take();
  fake.ws.receive(broker.suback(0, "/no", 1));
  fake.ws.receive(broker.createack(0, "/secret", 1));
  fake.ws.receive(broker.createack(5, "/fine"));
  fake.ws.receive(broker.createsuback(0, "bad", 1));
  assert.deepEqual(fake.denied.map((detail) => detail.name), ["/no", "/secret", "bad"]);
  assert.equal(fake.client.stats.droppedDenied, 2);
  assert.equal(fake.client.pending, 0);
  assert.deepEqual(fake.ws.take(), []);
  fake.ws.drop();
  fake.clock.advance(2000);
  assert.ok(fake.accept().includes("subscribe /no"), "a later broker may allow it");
});

test("an acknowledgement that nobody asked for changes nothing", () => {
  const fake = setUp(), got = [];
  fake.client.subscribe("/t", (message) => got.push(message.text()));
  fake.open();
  fake.ws.receive(broker.suback(7, "/t"));
  fake.ws.receive(broker.createack(8, "/evil"));
  fake.ws.receive(broker.publish(8, 2, 0, "x"));
  assert.deepEqual(got, []);
  assert.equal(fake.client.stats.unrouted, 1);
  fake.ws.take();
  fake.client.publish("x", "/evil");
  assert.deepEqual(fake.ws.take().map(words), ["create /evil"], "a number that was not asked for is not used");
});

test("own pings: after silence, with a round trip, and a close when nothing comes", () => {
  const fake = setUp({ pingInterval: 1000, pongTimeout: 500 });
  fake.client.connect();
  fake.ws.receive(broker.init());
  fake.ws.receive(broker.connack());
  fake.clock.advance(7);
  fake.ws.receive(broker.pong());
  assert.deepEqual(fake.pings, [7]);
  assert.equal(fake.client.rtt, 7);
  fake.ws.take();
  fake.clock.advance(990);
  fake.ws.receive(broker.ping());
  assert.deepEqual(fake.ws.take().map(words), ["pong"]);
  fake.clock.advance(990);
  assert.deepEqual(fake.ws.take(), [], "something came in between");
  fake.clock.advance(20);
  assert.deepEqual(fake.ws.take().map(words), ["ping"]);
  fake.clock.advance(400);
  fake.ws.receive(broker.publish(1, 2, 0, "alive, if slow"));
  fake.clock.advance(499);
  assert.equal(fake.client.state, "connected");
  fake.clock.advance(1);
  assert.equal(fake.client.state, "waiting");
  assert.match(fake.states.at(-1).reason, /did not answer a ping/);
  assert.ok(fake.WebSocket.sockets[0].closed, "the dead socket is closed, and nobody waits for it");
  assert.equal(fake.client.rtt, null);
});

test("a busy connection still measures its round trip", () => {
  const fake = setUp({ pingInterval: 1000, pongTimeout: 500 });
  fake.open();
  fake.ws.take();
  for (let index = 0; index < 40; index += 1) {
    fake.clock.advance(100);
    fake.ws.receive(broker.publish(1, 2, 0, "x"));
    if (fake.ws.sent.length) break;
  }
  assert.deepEqual(fake.ws.take().map(words), ["ping"]);
  assert.equal(fake.clock.now(), 3000);
});

test("a long round trip is measured again soon, a short one is not", () => {
  const fake = setUp({ pingInterval: 1000, pongTimeout: 500 });
  fake.open();
  const busy = (milliseconds) => {
    for (let passed = 0; passed < milliseconds; passed += 100) {
      fake.clock.advance(100);
      fake.ws.receive(broker.publish(1, 2, 0, "x"));
    }
  };
  fake.client.check();
  fake.ws.take();
  busy(400);
  fake.ws.receive(broker.pong());
  assert.equal(fake.client.rtt, 400);
  busy(300);
  assert.deepEqual(fake.ws.take().map(words), ["ping"]);
  fake.ws.receive(broker.pong());
  assert.ok(fake.client.rtt <= 100);
  busy(2000);
  assert.deepEqual(fake.ws.take(), []);
});

test("check() pings a connection and ends a wait", () => {
  const fake = setUp();
  fake.open();
  fake.ws.take();
  fake.client.check();
  fake.client.check();
  assert.deepEqual(fake.ws.take().map(words), ["ping"]);
  fake.ws.drop();
  fake.client.check();
  assert.equal(fake.client.state, "connecting");
  assert.equal(fake.WebSocket.sockets.length, 2);
  fake.clock.advance(3000);
  assert.equal(fake.WebSocket.sockets.length, 2, "the timer of the wait is gone");
});

test("back-off: full jitter, doubling from 50 ms to 2 s, reset only by a connection that lasted", () => {
  const settings = { backoffBase: 50, backoffCap: 2000 };
  assert.deepEqual([0, 1, 2, 5, 6, 50].map((failures) => backoffDelay(failures, settings, () => 1)),
    [50, 100, 200, 1600, 2000, 2000]);
  assert.equal(backoffDelay(9, settings, () => 0), 0);
  const fake = setUp({ random: () => 1 });
  const waits = () => fake.states.filter((state) => state.state === "waiting").map((state) => state.retryIn);
  fake.client.connect();
  for (let index = 0; index < 3; index += 1) { fake.ws.drop(); fake.clock.advance(2000); }
  assert.deepEqual(waits(), [50, 100, 200]);
  assert.deepEqual(fake.states.filter((state) => state.state === "connecting").map((state) => state.attempt),
    [1, 2, 3, 4]);
  fake.accept();
  fake.ws.drop();
  assert.equal(waits().at(-1), 400, "accepted and dropped at once is a refusal in disguise");
  fake.clock.advance(400);
  assert.equal(fake.states.at(-1).attempt, 1, "the attempts that a user sees start again");
  fake.accept();
  for (let index = 0; index < 6; index += 1) { fake.clock.advance(1000); fake.ws.receive(broker.ping()); }
  fake.ws.drop();
  assert.equal(waits().at(-1), 50);
});

test("the handshake has a deadline", () => {
  const fake = setUp({ handshakeTimeout: 3000 });
  fake.client.connect();
  fake.ws.receive(broker.init());
  fake.clock.advance(3000);
  assert.equal(fake.client.state, "waiting");
  assert.match(fake.states.at(-1).reason, /No SMQ handshake with broker in 3 s/);
});

test("a web server that is no SMQ broker is named", () => {
  const fake = setUp({ url: "ws://example.org:8080/smq.lsp" });
  fake.client.connect();
  fake.ws.drop(1006);
  assert.equal(fake.states.at(-1).reason, "No SMQ broker answered at example.org:8080.");
  fake.client.connect();
  fake.ws.drop(1002);
  assert.equal(fake.states.at(-1).reason, "No SMQ broker answered at example.org:8080 (code 1002).");
});

test("refusals stop, with the reason; 'unavailable' tries again", () => {
  for (const [code, text, state, expected] of [
    [3, "", "stopped", /wrong credentials/], [6, "not you", "stopped", /not you/], [1, "", "stopped", /version or uid/],
    [4, "", "stopped", /certificate/], [200, "", "stopped", /code 200/], [2, "", "waiting", /not available/]]) {
    const fake = setUp();
    fake.client.connect();
    fake.ws.receive(broker.init());
    fake.ws.receive(broker.connack(0, code, text));
    assert.equal(fake.client.state, state);
    assert.match(fake.states.at(-1).reason, expected);
    assert.equal(fake.clock.timers, state === "waiting" ? 1 : 0);
    assert.ok(fake.ws.closed);
  }
});

test("a Disconnect frame means 'try again', except when the uid was taken over", () => {
  for (const [reason, state] of [["", "waiting"], ["shutting down", "waiting"], ["reconnect", "stopped"]]) {
    const fake = setUp();
    fake.open();
    fake.ws.receive(broker.disconnect(reason));
    assert.equal(fake.client.state, state);
    fake.clock.advance(10000);
    assert.equal(fake.WebSocket.sockets.length > 1, state === "waiting");
  }
  const fake = setUp();
  fake.open();
  fake.ws.receive(broker.disconnect("reconnect"));
  assert.match(fake.states.at(-1).reason, /uid/);
  fake.client.connect();
  assert.equal(fake.WebSocket.sockets.length, 2, "the user may insist");
});

test("malformed and misplaced frames close the session with a clear error and never throw", () => {
  const cases = [
    ["before Connack", false, [[], [42], [1, 1, 0], broker.init(1, "", 2), broker.connack(), broker.publish(1, 2, 3, ""),
      broker.suback(1, "x")]],
    ["when connected", true, [[], [0], [42], [19, 0], [8, 0, 0], [16, 1], [5, 0], [12, 1], broker.init(), broker.connack(),
      [4, 65], [2, 1], [15, 0, 0, 0, 1], new Uint8Array(65534).fill(8)]],
  ];
  for (const [when, connected, frames] of cases) {
    for (const frame of frames) {
      const fake = setUp();
      if (connected) fake.open(); else fake.client.connect();
      const { ws } = fake;
      ws.receive(frame);
      assert.equal(fake.client.state, "waiting", `${when}: ${frame.slice(0, 10)}`);
      assert.equal(fake.client.stats.malformed, 1);
      assert.equal(fake.faults.length, 1);
      assert.match(fake.states.at(-1).reason, /^The broker /);
      assert.equal(ws.closed.code, 4002);
      assert.equal(ws.onmessage, null, "nothing of that session is heard any more");
    }
  }
  const fake = setUp();
  fake.open();
  fake.ws.receiveText("8 text");
  assert.match(fake.states.at(-1).reason, /text message/);
  const zero = setUp();
  zero.client.connect();
  zero.ws.receive(broker.init());
  zero.ws.receive(broker.connack(0));
  assert.equal(zero.client.state, "waiting");
});

test("a handler that throws or rejects is counted and disturbs nobody", async () => {
  const fake = setUp(), got = [];
  fake.client.subscribe("/a", () => { throw new Error("handler"); });
  fake.client.subscribe("/b", async () => { throw new Error("async handler"); });
  fake.client.subscribe("/c", (message) => got.push(message.json()));
  fake.open();
  fake.ws.receive(broker.suback(1, "/a"));
  fake.ws.receive(broker.suback(2, "/b"));
  fake.ws.receive(broker.suback(3, "/c"));
  fake.ws.receive(broker.publish(1, 9, 0, "x"));
  fake.ws.receive(broker.publish(2, 9, 0, "x"));
  fake.ws.receive(broker.publish(3, 9, 0, "{not json"));
  fake.ws.receive(broker.publish(3, 9, 0, "[".repeat(60000)));
  fake.ws.receive(broker.publish(3, 9, 0, "[1]"));
  await Promise.resolve();
  assert.equal(fake.client.stats.handlerErrors, 4);
  assert.deepEqual(got, [[1]]);
  assert.equal(fake.client.state, "connected");
});

test("credentials: asked with seed and address, text or bytes, late ones go nowhere, failures are told", async () => {
  const asked = [], settled = () => new Promise((resolve) => setImmediate(resolve));
  const fake = setUp({ credentials: async (challenge) => { asked.push(challenge); return "secret"; } });
  fake.client.connect();
  fake.ws.receive(broker.init(0xfedcba98, "192.168.1.7"));
  await settled();
  assert.deepEqual(asked, [{ seed: 0xfedcba98, ip: "192.168.1.7" }]);
  assert.ok(fake.ws.sent[0].toString("latin1").includes("\x06secret"));
  fake.ws.receive(broker.connack());
  assert.equal(fake.client.state, "connected");

  let answer;
  const late = setUp({ credentials: () => new Promise((resolve) => { answer = resolve; }) });
  late.client.connect();
  late.ws.receive(broker.init());
  await settled();
  late.ws.drop();
  late.clock.advance(50);
  answer(Uint8Array.of(1));
  await settled();
  assert.ok(late.WebSocket.sockets.every((ws) => ws.sent.length === 0));

  for (const credentials of [() => { throw new Error("no key"); }, () => "x".repeat(256)]) {
    const failing = setUp({ credentials });
    failing.client.connect();
    failing.ws.receive(broker.init());
    await settled();
    assert.equal(failing.client.state, "waiting");
    assert.match(failing.states.at(-1).reason, /^No credentials: /);
  }

  const early = setUp({ credentials: () => new Promise(() => {}) });
  early.client.connect();
  early.ws.receive(broker.init());
  early.ws.receive(broker.connack());
  assert.match(early.states.at(-1).reason, /Connack before Connect/);
});

test("close says goodbye and stays away", () => {
  const fake = setUp();
  fake.open();
  const { ws } = fake;
  fake.client.close();
  assert.deepEqual(ws.take().map(words), ["disconnect"]);
  assert.equal(ws.closed.code, 1000);
  assert.equal(fake.client.state, "idle");
  assert.equal(fake.clock.timers, 0);
  fake.clock.advance(60000);
  assert.equal(fake.WebSocket.sockets.length, 1);
  assert.equal(fake.client.publish("x", "/t"), false);
});

test("an address that no WebSocket takes stops with a clear sentence", () => {
  const fake = setUp({ url: "ws://x/", WebSocket: class { constructor() { throw new Error("bad port"); } } });
  fake.client.connect();
  assert.equal(fake.client.state, "stopped");
  assert.match(fake.states.at(-1).reason, /ws:\/\/x\/ is no usable broker address: bad port/);
});

test("reasons of any length and script fit the close frame", () => {
  const fake = setUp();
  fake.open();
  const { ws } = fake;
  ws.receive(broker.disconnect("ä€😀".repeat(5000)));
  assert.equal(fake.client.state, "waiting");
  assert.ok(Buffer.byteLength(ws.closed.reason) <= 123);
});

test("the address comes from the page, with its token; uids differ per load", () => {
  assert.equal(brokerURL(new URL("http://127.0.0.1:8080/")), "ws://127.0.0.1:8080/smq.lsp");
  assert.equal(brokerURL(new URL("https://pi.example/led?x=1&token=a%26b%20c#d")),
    "wss://pi.example/smq.lsp?token=a%26b+c");
  assert.equal(brokerURL(new URL("http://[fe80::1]:81/index.html")), "ws://[fe80::1]:81/smq.lsp");
  assert.notEqual(randomUid(), randomUid());
  assert.ok(randomUid().length >= 6 && randomUid().length <= 255);
  assert.throws(() => new SMQClient({ url: "ws://x/", uid: "short" }), RangeError);
  assert.equal(new SMQClient({ url: "ws://x:81/smq.lsp" }).node, "x:81");
});
