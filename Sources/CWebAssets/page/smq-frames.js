// SMQ frames as they travel in WebSocket messages: one message is `type u8 | body`, without the length that
// raw TCP puts in front. Integers are unsigned and big-endian; texts run to the end of the frame.
// No I/O and no state here, so that every frame can be tested from recorded bytes.

/** Numbers of the frame types (SMQ specification, "message types"). */
export const FrameType = Object.freeze({
  INIT: 1, CONNECT: 2, CONNACK: 3, SUBSCRIBE: 4, SUBACK: 5, CREATE: 6, CREATEACK: 7, PUBLISH: 8,
  UNSUBSCRIBE: 9, DISCONNECT: 11, PING: 12, PONG: 13, OBSERVE: 14, UNOBSERVE: 15, CHANGE: 16,
  CREATESUB: 17, CREATESUBACK: 18, PUBFRAG: 19,
});

/** A raw frame is at most 65535 bytes with its two length bytes, so a WebSocket message is at most this long. */
export const MAX_FRAME = 65533;
/** The longest payload of a Publish: what every broker and every raw TCP subscriber can carry. */
export const MAX_PAYLOAD = 65520;
/** The longest topic name that fits an acknowledgement (type, status, id, name). */
export const MAX_NAME = MAX_FRAME - 6;

/** A frame that breaks the protocol. The session that received it is closed. */
export class SMQProtocolError extends Error {
  constructor(message) {
    super(message);
    this.name = "SMQProtocolError";
  }
}

const encoder = new TextEncoder();
// Not fatal: a name or reason with broken UTF-8 is shown with replacement characters rather than refused.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text or bytes as bytes. @param {string|Uint8Array|ArrayBuffer} value @returns {Uint8Array} */
export function toBytes(value) {
  if (typeof value === "string") return encoder.encode(value);
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError("SMQ data is a string, an ArrayBuffer or a typed array.");
}

/** Bytes as text (UTF-8). @param {Uint8Array} bytes */
export function toText(bytes) {
  return decoder.decode(bytes);
}

function withName(type, name) {
  const text = toBytes(name);
  if (text.length > MAX_NAME) throw new RangeError(`An SMQ name has at most ${MAX_NAME} bytes.`);
  const frame = new Uint8Array(1 + text.length);
  frame[0] = type;
  frame.set(text, 1);
  return frame;
}

function withId(type, id) {
  const frame = new Uint8Array(5);
  frame[0] = type;
  new DataView(frame.buffer).setUint32(1, id);
  return frame;
}

/** The frames a client sends. Each function returns one WebSocket message. */
export const encode = Object.freeze({
  /** Connect, version 1. `uid` has 6 to 255 bytes, `credentials` at most 255; `info` is free text for the broker. */
  connect({ uid, credentials = "", info = "" }) {
    const id = toBytes(uid), secret = toBytes(credentials), text = toBytes(info);
    if (id.length < 6 || id.length > 255) throw new RangeError("An SMQ uid has 6 to 255 bytes.");
    if (secret.length > 255) throw new RangeError("SMQ credentials have at most 255 bytes.");
    const frame = new Uint8Array(4 + id.length + secret.length + text.length);
    if (frame.length > MAX_FRAME) throw new RangeError("The SMQ info text is too long.");
    frame.set([FrameType.CONNECT, 1, id.length]);
    frame.set(id, 3);
    frame[3 + id.length] = secret.length;
    frame.set(secret, 4 + id.length);
    frame.set(text, 4 + id.length + secret.length);
    return frame;
  },
  subscribe: (topic) => withName(FrameType.SUBSCRIBE, topic),
  create: (topic) => withName(FrameType.CREATE, topic),
  createsub: (subtopic) => withName(FrameType.CREATESUB, subtopic),
  unsubscribe: (tid) => withId(FrameType.UNSUBSCRIBE, tid),
  observe: (id) => withId(FrameType.OBSERVE, id),
  ping: () => Uint8Array.of(FrameType.PING),
  pong: () => Uint8Array.of(FrameType.PONG),
  disconnect: () => Uint8Array.of(FrameType.DISCONNECT),
  /** Publish `payload` to topic or peer `to`, as the client `etid`, under sub-topic `subtid` (0: none). */
  publish(to, etid, subtid, payload) {
    const bytes = toBytes(payload);
    if (bytes.length > MAX_PAYLOAD) throw new RangeError(`An SMQ payload has at most ${MAX_PAYLOAD} bytes.`);
    const frame = new Uint8Array(13 + bytes.length);
    const view = new DataView(frame.buffer);
    frame[0] = FrameType.PUBLISH;
    view.setUint32(1, to);
    view.setUint32(5, etid);
    view.setUint32(9, subtid);
    frame.set(bytes, 13);
    return frame;
  },
});

const ACK_NAMES = { 5: "Suback", 7: "Createack", 18: "Createsuback" };

/**
 * Decodes one message from a broker.
 * @param {ArrayBuffer|Uint8Array} message
 * @returns {object} `type` (a FrameType) and the fields of that frame
 * @throws {SMQProtocolError} when it is not a frame that a broker may send
 */
export function decode(message) {
  if (!(message instanceof ArrayBuffer || ArrayBuffer.isView(message))) {
    throw new SMQProtocolError("The broker sent a text message; SMQ frames are binary.");
  }
  const bytes = toBytes(message);
  if (bytes.length === 0) throw new SMQProtocolError("The broker sent an empty message.");
  if (bytes.length > MAX_FRAME) throw new SMQProtocolError(`The broker sent a frame of ${bytes.length} bytes.`);
  const type = bytes[0];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const need = (count, name) => {
    if (bytes.length < count) throw new SMQProtocolError(`The broker sent a truncated ${name} (${bytes.length} bytes).`);
  };
  const exactly = (count, name) => {
    if (bytes.length !== count) throw new SMQProtocolError(`The broker sent a ${name} of ${bytes.length} bytes.`);
  };
  switch (type) {
    case FrameType.INIT:
      need(6, "Init");
      return { type, version: bytes[1], seed: view.getUint32(2), ip: toText(bytes.subarray(6)) };
    case FrameType.CONNACK:
      need(6, "Connack");
      return { type, code: bytes[1], etid: view.getUint32(2), reason: toText(bytes.subarray(6)) };
    case FrameType.SUBACK:
    case FrameType.CREATEACK:
    case FrameType.CREATESUBACK:
      need(6, ACK_NAMES[type]);
      return { type, ok: bytes[1] === 0, id: view.getUint32(2), name: toText(bytes.subarray(6)) };
    case FrameType.PUBLISH:
      need(13, "Publish");
      return {
        type, to: view.getUint32(1), from: view.getUint32(5), subtid: view.getUint32(9), payload: bytes.subarray(13),
      };
    case FrameType.DISCONNECT:
      return { type, reason: toText(bytes.subarray(1)) };
    case FrameType.PING:
      exactly(1, "Ping");
      return { type };
    case FrameType.PONG:
      exactly(1, "Pong");
      return { type };
    case FrameType.CHANGE:
      exactly(9, "Change");
      return { type, id: view.getUint32(1), count: view.getUint32(5) };
    default:
      throw new SMQProtocolError(`The broker sent a frame of type ${type}, which only clients send or nobody knows.`);
  }
}
