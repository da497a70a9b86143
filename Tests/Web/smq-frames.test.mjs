import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameType, MAX_FRAME, MAX_PAYLOAD, SMQProtocolError, decode, encode } from
  "../../Sources/CWebAssets/page/smq-frames.js";
import { DEVICE_SESSION, DISPLAY_SESSION } from "./recorded.mjs";

const sessions = [...DEVICE_SESSION, ...DISPLAY_SESSION];
const hex = (bytes) => Buffer.from(bytes).toString("hex");

test("every recorded broker frame decodes to the recorded type", () => {
  const names = { Init: 1, Connack: 3, Suback: 5, Createack: 7, Publish: 8, Createsuback: 18, Change: 16 };
  let count = 0;
  for (const { from, name, bytes } of sessions) {
    if (from !== "broker") continue;
    assert.equal(decode(bytes).type, names[name], `${name} ${hex(bytes)}`);
    count += 1;
  }
  assert.ok(count >= 15);
});

test("the fields of recorded frames", () => {
  const of = (session, name, nth = 0) =>
    decode(session.filter((frame) => frame.from === "broker" && frame.name === name)[nth].bytes);
  assert.deepEqual(of(DEVICE_SESSION, "Init"), { type: 1, version: 1, seed: 0x3cfd9950, ip: "127.0.0.1" });
  assert.deepEqual(of(DEVICE_SESSION, "Connack"), { type: 3, code: 0, etid: 0x088940e3, reason: "" });
  assert.deepEqual(of(DEVICE_SESSION, "Createack"), { type: 7, ok: true, id: 0x36b46c8d, name: "/m2m/led/device" });
  assert.deepEqual(of(DEVICE_SESSION, "Createsuback", 1), { type: 18, ok: true, id: 0x672ec44f, name: "led" });
  assert.deepEqual(of(DEVICE_SESSION, "Change", 1), { type: 16, id: 0x36b46c8d, count: 1 });
  const hello = of(DEVICE_SESSION, "Publish");
  assert.equal(hello.to, 0xbf14b368);
  assert.equal(hello.from, 0x5ccf0d7c);
  assert.equal(hello.subtid, 0);
  assert.equal(Buffer.from(hello.payload).toString(), "Hello");
});

test("encoding gives the recorded client bytes", () => {
  const recorded = (name, nth = 0) =>
    hex(DISPLAY_SESSION.filter((frame) => frame.from === "client" && frame.name === name)[nth].bytes);
  assert.equal(hex(encode.connect({ uid: "pydisp-b88ec3e5", info: "display" })), recorded("Connect"));
  assert.equal(hex(encode.createsub("devinfo")), recorded("Createsub"));
  assert.equal(hex(encode.subscribe("/m2m/temp")), recorded("Subscribe"));
  assert.equal(hex(encode.create("/m2m/led/display")), recorded("Create"));
  assert.equal(hex(encode.publish(0xbf14b368, 0x5ccf0d7c, 0, "Hello")), recorded("Publish"));
  assert.equal(hex(encode.observe(0x088940e3)), recorded("Observe"));
  assert.equal(hex(encode.publish(0x088940e3, 0x5ccf0d7c, 0, Uint8Array.of(2, 1))), recorded("Publish", 1));
  assert.equal(hex(encode.disconnect()), recorded("Disconnect"));
  assert.equal(hex(encode.ping()), "0c");
  assert.equal(hex(encode.pong()), "0d");
  assert.equal(hex(encode.unsubscribe(0x01020304)), "0901020304");
});

test("every truncation of every recorded broker frame is a protocol error or a shorter text, never a trap", () => {
  for (const { from, bytes } of sessions) {
    if (from !== "broker") continue;
    for (let length = 0; length < Math.min(bytes.length, 40); length += 1) {
      try {
        const frame = decode(bytes.subarray(0, length));
        assert.ok([1, 3, 5, 7, 8, 18].includes(frame.type), "only frames that end in a text may be shorter");
      } catch (error) {
        assert.ok(error instanceof SMQProtocolError, String(error));
      }
    }
  }
});

test("every single type byte is a known frame or a protocol error", () => {
  const fine = new Set();
  for (let type = 0; type < 256; type += 1) {
    for (const length of [1, 5, 6, 9, 13, 20]) {
      const bytes = new Uint8Array(length);
      bytes[0] = type;
      try { fine.add(decode(bytes).type); } catch (error) { assert.ok(error instanceof SMQProtocolError); }
    }
  }
  assert.deepEqual([...fine].sort((a, b) => a - b), [1, 3, 5, 7, 8, 11, 12, 13, 16, 18]);
});

test("frames that no broker may send", () => {
  for (const bad of ["text", new Uint8Array(0), new Uint8Array(MAX_FRAME + 1).fill(8), Uint8Array.of(12, 0),
    Uint8Array.of(FrameType.CHANGE, 0, 0, 0, 0, 0, 0, 0, 0, 0), Uint8Array.of(FrameType.PUBFRAG), null]) {
    assert.throws(() => decode(bad), SMQProtocolError);
  }
});

test("random bytes never do anything but decode or be refused", () => {
  let state = 12345; // a fixed seed, so that a failure can be repeated
  const random = () => (state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  for (let round = 0; round < 20000; round += 1) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 24) }, () => Math.floor(random() * 256));
    if (bytes.length) bytes[0] %= 24;
    try { decode(bytes); } catch (error) { assert.ok(error instanceof SMQProtocolError, String(error)); }
  }
});

test("what cannot be sent is refused where it is written", () => {
  assert.throws(() => encode.connect({ uid: "five5" }), RangeError);
  assert.throws(() => encode.connect({ uid: "u".repeat(256) }), RangeError);
  assert.throws(() => encode.connect({ uid: "u".repeat(6), credentials: new Uint8Array(256) }), RangeError);
  assert.throws(() => encode.publish(1, 2, 3, new Uint8Array(MAX_PAYLOAD + 1)), RangeError);
  assert.throws(() => encode.subscribe("n".repeat(65536)), RangeError);
  assert.throws(() => encode.publish(1, 2, 3, 42), TypeError);
  assert.equal(encode.publish(1, 2, 3, new Uint8Array(MAX_PAYLOAD)).length, MAX_FRAME);
  assert.equal(hex(encode.connect({ uid: Uint8Array.of(1, 2, 3, 4, 5, 6), credentials: Uint8Array.of(255) })),
    "020106" + "010203040506" + "01ff");
});
