// An SMQ (Simple Message Queue) client for browsers and other places with a WebSocket.
//
//   import { SMQClient } from "./smq.js";
//   const smq = new SMQClient();                       // ws(s)://<this page's host>/smq.lsp
//   smq.subscribe("/m2m/temp", (m) => console.log(m.from, m.data));
//   smq.addEventListener("state", (e) => console.log(e.detail.state, e.detail.reason));
//   smq.connect();
//   smq.publish("Hello", "/m2m/led/display");
//
// What it promises: it comes back by itself (back-off with full jitter), subscribes and observes again with the
// new connection's numbers, notices a broker that fell silent, and never throws because of what a peer sent.
// What it does not promise: delivery. SMQ has no acknowledgement of a Publish; a message that cannot be sent now
// is dropped and counted in `stats`, because a switch command that arrives late is worse than none.

import { FrameType, MAX_PAYLOAD, SMQProtocolError, decode, encode, toBytes, toText } from "./smq-frames.js";
import { Book, Queue } from "./smq-names.js";
import { DEFAULTS, REFUSALS, backoffDelay, brokerURL, randomUid } from "./smq-settings.js";

export { SMQProtocolError } from "./smq-frames.js";
export { DEFAULTS, brokerURL, randomUid } from "./smq-settings.js";

/** A received message, as handlers get it. */
export class SMQMessage {
  constructor(topic, subtopic, from, data) {
    /** Topic name; "self" when it was sent to this client alone. @type {string} */
    this.topic = topic;
    /** Sub-topic name, or null. @type {string|null} */
    this.subtopic = subtopic;
    /** ETID of the sender (ptid). Valid on this connection only. @type {number} */
    this.from = from;
    /** @type {Uint8Array} */
    this.data = data;
  }
  /** The payload as UTF-8 text. */
  text() { return toText(this.data); }
  /** The payload as JSON. @throws {SyntaxError} */
  json() { return JSON.parse(this.text()); }
}

/**
 * A client of one broker address.
 *
 * Events (EventTarget): `state` with detail {state, reason, attempt, retryIn, node}; `ping` with detail {rtt} in
 * milliseconds; `denied` with detail {what, name}; `fault` with detail {error}: a malformed frame or a handler that
 * threw. States: `idle`, `connecting`, `connected`, `waiting` (for the next attempt), `stopped` (taken over by the
 * same uid elsewhere, or refused for good: only `connect()` goes on).
 */
export class SMQClient extends EventTarget {
  /** The pseudo topic of messages to this client's own ETID. Needs no subscription at the broker. */
  static SELF = "self";

  #options; #clock; #random; #WebSocket;
  #ws = null; #state = "idle"; #reason = ""; #etid = 0; #rtt = null;
  #failures = 0; #attempt = 0; #everConnected = false; #connectedAt = 0;
  #timers = new Map(); // "retry", "handshake", "life signs"
  #received = 0; #pingSent = null; #ponged = 0;
  #initSeen = false; #connectSent = false;
  #subscriptions = new Map(); // topic -> {all, subs: Map(subtopic -> handler)}; outlives connections
  #observedNames = new Map(); // topic -> handler; outlives connections
  #observedIds = new Map(); // id -> handler; this connection only
  #topics = new Book(); #subtopics = new Book(); // names and numbers of this connection
  #subscribed = new Set(); // topics with a Subscribe sent on this connection
  #created = new Set(); // topics with a Create sent on this connection
  #pending = new Queue();

  /**
   * @param {object} [options] any of DEFAULTS, and:
   * @param {string} [options.url] default: brokerURL(location)
   * @param {string|Uint8Array} [options.uid] 6 to 255 bytes; default: random
   * @param {string} [options.info] free text that the broker's authenticate hook sees
   * @param {(challenge: {seed: number, ip: string}) => (string|Uint8Array|Promise<string|Uint8Array>)}
   *   [options.credentials] called in each handshake with the broker's seed and this client's address as the
   *   broker sees it; at most 255 bytes
   * @param {typeof WebSocket} [options.WebSocket] for tests
   * @param {() => number} [options.random] for tests
   * @param {{now: () => number, setTimeout: Function, clearTimeout: Function}} [options.clock] for tests
   * @throws {RangeError} when the uid or info text cannot be sent
   */
  constructor(options = {}) {
    super();
    this.#options = { ...DEFAULTS, info: "", ...options };
    this.#options.url ??= brokerURL(globalThis.location);
    this.#options.uid ??= randomUid();
    encode.connect({ ...this.#options, credentials: "" }); // a uid that cannot be sent is the caller's mistake: say so now
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.#random = options.random ?? Math.random;
    this.#clock = options.clock ?? {
      now: () => performance.now(),
      setTimeout: (work, delay) => globalThis.setTimeout(work, delay),
      clearTimeout: (timer) => globalThis.clearTimeout(timer),
    };
    /** Counters since the page was loaded. `dropped…`: messages that were not sent, and why. */
    this.stats = {
      sent: 0, received: 0, connects: 0, losses: 0, malformed: 0, unrouted: 0, handlerErrors: 0,
      droppedOffline: 0, droppedFull: 0, droppedLost: 0, droppedOld: 0, droppedDenied: 0,
    };
  }

  /** One of idle, connecting, connected, waiting, stopped. */
  get state() { return this.#state; }
  /** This client's own address while connected, else 0. */
  get etid() { return this.#etid; }
  /** Round trip of the last ping on this connection in milliseconds, or null. */
  get rtt() { return this.#rtt; }
  /** Messages that wait for the first connection or for an id. */
  get pending() { return this.#pending.length; }
  /** host:port of the broker. */
  get node() { return new URL(this.#options.url).host; }

  /** Starts, or tries again at once when waiting or stopped. Does nothing while connecting or connected. */
  connect() {
    if (this.#state === "connecting" || this.#state === "connected") return;
    this.#cancel("retry");
    this.#open();
  }

  /** Says goodbye and stays away until `connect()`. */
  close() {
    if (this.#state === "connected") this.#send(encode.disconnect());
    this.#leave(1000, "");
    this.#setState("idle", "");
  }

  /** Makes sure that the broker is still there: pings now if connected, tries at once if waiting. */
  check() {
    if (this.#state === "waiting") this.connect();
    else if (this.#state === "connected" && this.#pingSent === null) this.#ping();
  }

  /**
   * Calls `handler` for each message on `topic`. With `subtopic` only for messages of that sub-topic; without it
   * for those that no sub-topic handler takes. A second handler for the same pair replaces the first. Kept across
   * reconnects. Topic "self": messages to this client's own ETID.
   * @param {string} topic @param {(message: SMQMessage) => void} handler @param {{subtopic?: string}} [options]
   */
  subscribe(topic, handler, { subtopic } = {}) {
    let subscription = this.#subscriptions.get(topic);
    if (!subscription) this.#subscriptions.set(topic, (subscription = { all: null, subs: new Map() }));
    if (subtopic === undefined) subscription.all = handler;
    else subscription.subs.set(subtopic, handler);
    if (this.#state === "connected") this.#sendSubscription(topic);
  }

  /** Ends what `subscribe` with the same topic and sub-topic began. */
  unsubscribe(topic, { subtopic } = {}) {
    const subscription = this.#subscriptions.get(topic);
    if (!subscription) return;
    if (subtopic === undefined) subscription.all = null;
    else subscription.subs.delete(subtopic);
    if (subscription.all || subscription.subs.size > 0) return;
    this.#subscriptions.delete(topic);
    // Without a number yet the Unsubscribe goes out when the Suback brings it.
    if (this.#state === "connected" && this.#topics.id(topic) !== undefined) this.#sendUnsubscribe(topic);
  }

  /**
   * Sends `data` to a topic (by name, resolved once per connection) or to a peer (by its ETID). Before the first
   * connection, and while a name is being resolved, it waits in a bounded queue. After a connection was lost it is
   * dropped: commands are live and are never replayed.
   * @param {string|Uint8Array|ArrayBuffer} data at most 65520 bytes
   * @param {string|number} to topic name or ETID @param {{subtopic?: string}} [options]
   * @returns {boolean} false when it was dropped; `stats` says why
   * @throws {RangeError} when the payload is too long
   */
  publish(data, to, { subtopic } = {}) {
    const bytes = toBytes(data);
    if (bytes.length > MAX_PAYLOAD) throw new RangeError(`An SMQ payload has at most ${MAX_PAYLOAD} bytes.`);
    if (this.#state === "connected") {
      const entry = { topic: to, subtopic, data: bytes, at: this.#clock.now() };
      // A message that waits for the same topic goes first, so that the order of one topic is kept.
      const ready = !this.#pending.has(to) && this.#address(entry);
      if (ready) return this.#sendPublish(ready, bytes);
      this.#ask(entry);
      return this.#enqueue({ ...entry, data: bytes.slice() });
    }
    // A number means nothing on another connection, so it cannot wait for one.
    if (this.#everConnected || typeof to === "number" || to === SMQClient.SELF || this.#state === "stopped") {
      this.stats.droppedOffline += 1;
      return false;
    }
    return this.#enqueue({ topic: to, subtopic, data: bytes.slice(), at: this.#clock.now() });
  }

  /**
   * Calls `handler(count)` when the number of subscribers of `target` changes. A topic name is told its number at
   * once and is observed again after a reconnect. An ETID is told 0 once, when that peer has gone, and is forgotten
   * with the connection. There is no frame to end it: `unobserve` only stops the calls, because vendor brokers
   * drop the observed id itself when its last observer sends Unobserve.
   * @param {string|number} target @param {(count: number) => void} handler
   * @returns {boolean} false for an ETID while not connected
   */
  observe(target, handler) {
    if (typeof target === "string") {
      this.#observedNames.set(target, handler);
      if (this.#state === "connected") this.#sendObservation(target);
      return true;
    }
    if (this.#state !== "connected") return false;
    const known = this.#observedIds.has(target);
    this.#observedIds.set(target, handler);
    if (!known) this.#send(encode.observe(target));
    return true;
  }

  /** Stops the calls that `observe` began. Sends nothing. */
  unobserve(target) {
    if (typeof target === "string") this.#observedNames.delete(target);
    // The entry stays as known, so that observing again does not send a second Observe.
    else if (this.#observedIds.has(target)) this.#observedIds.set(target, null);
  }

  // Connection

  #open() {
    this.#attempt += 1;
    this.#initSeen = this.#connectSent = false;
    let ws;
    try {
      ws = new this.#WebSocket(this.#options.url);
    } catch (error) {
      return this.#setState("stopped", `${this.#options.url} is no usable broker address: ${error.message}`);
    }
    this.#ws = ws;
    ws.binaryType = "arraybuffer";
    ws.onmessage = (event) => this.#receive(event.data);
    ws.onclose = (event) => {
      // 1006 is what browsers say for everything that was not a proper close; it tells a reader nothing.
      const words = event.reason ? `: ${event.reason}` : event.code === 1006 ? "" : ` (code ${event.code})`;
      this.#lost(this.#state === "connected" ? `The broker closed the connection${words}.`
        : `No SMQ broker answered at ${this.node}${words}.`);
    };
    const limit = this.#options.handshakeTimeout;
    this.#after("handshake", limit, () => this.#lost(`No SMQ handshake with ${this.node} in ${limit / 1000} s.`));
    this.#setState("connecting", this.#reason);
  }

  #receive(data) {
    this.#received = this.#clock.now();
    this.stats.received += 1;
    try {
      this.#handle(decode(data));
    } catch (error) {
      // Whatever went wrong, the session is in doubt, and nothing a peer sent may throw into the page.
      if (error instanceof SMQProtocolError) this.stats.malformed += 1;
      this.#emit("fault", { error });
      this.#lost(error.message, 4002);
    }
  }

  #handle(frame) {
    if (frame.type === FrameType.DISCONNECT) return this.#dismissed(frame.reason);
    if (this.#state === "connected") return this.#handleConnected(frame);
    if (frame.type === FrameType.INIT && !this.#initSeen) return this.#greet(frame);
    if (frame.type === FrameType.CONNACK && this.#initSeen) return this.#welcomed(frame);
    throw new SMQProtocolError(`The broker sent a frame of type ${frame.type} during the handshake.`);
  }

  #greet({ version, seed, ip }) {
    if (version !== 1) throw new SMQProtocolError(`The broker speaks SMQ version ${version}, not 1.`);
    this.#initSeen = true;
    const ws = this.#ws;
    const send = (credentials) => {
      if (ws !== this.#ws) return; // that connection is history
      this.#connectSent = true;
      this.#send(encode.connect({ ...this.#options, credentials }));
    };
    if (!this.#options.credentials) return send("");
    Promise.resolve({ seed, ip }).then(this.#options.credentials).then(send).catch((error) => {
      this.#emit("fault", { error });
      if (ws === this.#ws) this.#lost(`No credentials: ${error?.message ?? error}`);
    });
  }

  #welcomed({ code, etid, reason }) {
    if (code !== 0) {
      const words = `The broker refused the connection: ${reason || REFUSALS[code] || `code ${code}`}.`;
      if (code === 2) return this.#lost(words); // "unavailable" passes; the others do not by trying again
      this.#leave(1000, "");
      return this.#setState("stopped", words);
    }
    if (!this.#connectSent) throw new SMQProtocolError("The broker sent Connack before Connect.");
    if (etid === 0) throw new SMQProtocolError("The broker accepted the connection but gave no address (ETID 0).");
    this.#cancel("handshake");
    this.#etid = etid;
    this.#everConnected = true;
    this.#connectedAt = this.#ponged = this.#clock.now();
    this.stats.connects += 1;
    this.#attempt = 0;
    this.#state = "connected"; // before the frames below, whose functions look at it
    for (const topic of this.#subscriptions.keys()) this.#sendSubscription(topic);
    for (const topic of this.#observedNames.keys()) this.#sendObservation(topic);
    this.#pending.forEach((entry) => this.#ask(entry));
    this.#flush();
    this.#ping();
    this.#setState("connected", "");
  }

  #dismissed(reason) {
    if (reason === "reconnect") {
      this.#leave(1000, "");
      return this.#setState("stopped", "Another client connected with this client's uid.");
    }
    this.#lost(reason ? `The broker ended the session: ${reason}.` : "The broker ended the session.");
  }

  #lost(reason, code = 4000) {
    if (this.#state === "connected") {
      this.stats.losses += 1;
      if (this.#clock.now() - this.#connectedAt >= this.#options.stableAfter) this.#failures = 0;
    }
    this.#leave(code, reason);
    const delay = backoffDelay(this.#failures, this.#options, this.#random);
    this.#failures += 1;
    this.#after("retry", delay, () => this.#open());
    this.#setState("waiting", reason, delay);
  }

  /** Forgets the socket at once (its own close may take a minute when the peer is gone) and all numbers. */
  #leave(code, reason) {
    const ws = this.#ws;
    this.#ws = null;
    for (const name of ["retry", "handshake", "life signs"]) this.#cancel(name);
    this.#etid = 0;
    this.#rtt = this.#pingSent = null;
    this.#topics.clear();
    this.#subtopics.clear();
    this.#subscribed.clear();
    this.#created.clear();
    this.#observedIds.clear();
    if (this.#everConnected) this.stats.droppedLost += this.#pending.drop(() => true);
    if (!ws) return;
    ws.onmessage = ws.onclose = null;
    try {
      ws.close(code, toText(toBytes(reason).subarray(0, 100)).replace(/\uFFFD+$/, ""));
    } catch { /* closing a socket that never opened may throw; there is nothing left to close */ }
  }

  #setState(state, reason, retryIn = null) {
    this.#state = state;
    this.#reason = reason;
    this.#emit("state", { state, reason, attempt: this.#attempt, retryIn, node: this.node });
  }

  // Frames of a connection

  #handleConnected(frame) {
    switch (frame.type) {
      case FrameType.PUBLISH: return this.#deliver(frame);
      case FrameType.PING: return this.#send(encode.pong());
      case FrameType.PONG: return this.#pong();
      case FrameType.CHANGE: return this.#changed(frame);
      case FrameType.SUBACK: return this.#resolved(this.#topics, frame, "topic", true);
      case FrameType.CREATEACK: return this.#resolved(this.#topics, frame, "topic");
      case FrameType.CREATESUBACK: return this.#resolved(this.#subtopics, frame, "sub-topic");
      default: throw new SMQProtocolError(`The broker sent a frame of type ${frame.type} after the handshake.`);
    }
  }

  #resolved(book, { ok, id, name }, what, isSubscription = false) {
    if (!ok && isSubscription) {
      // To listen and to speak are permitted apart: what waits to be sent asks for itself.
      this.#subscribed.delete(name);
      if (!this.#created.has(name)) {
        book.refuse(name);
        if (this.#pending.has(name) || this.#observedNames.has(name)) this.#create(name);
      }
      return this.#emit("denied", { what, name });
    }
    if (!ok) {
      this.#created.delete(name);
      // A Suback on its way still brings the number.
      if (what !== "topic" || !this.#subscribed.has(name)) book.refuse(name);
      const key = what === "topic" ? "topic" : "subtopic";
      this.stats.droppedDenied += this.#pending.drop((entry) => entry[key] === name);
      return this.#emit("denied", { what, name });
    }
    book.learn(name, id);
    if (isSubscription && !this.#subscriptions.has(name)) this.#sendUnsubscribe(name);
    if (what === "topic" && this.#observedNames.has(name)) this.#sendObservation(name);
    this.#flush();
  }

  #deliver({ to, from, subtid, payload }) {
    const topic = to === this.#etid ? SMQClient.SELF : this.#topics.name(to);
    const subscription = this.#subscriptions.get(topic);
    const subtopic = subtid === 0 ? null : this.#subtopics.name(subtid) ?? null;
    const handler = subscription?.subs.get(subtopic) ?? subscription?.all;
    if (!handler) return void (this.stats.unrouted += 1);
    this.#call(handler, new SMQMessage(topic, subtopic, from, payload));
  }

  #changed({ id, count }) {
    const topic = this.#topics.name(id);
    const handler = this.#observedIds.get(id);
    // A peer that has gone does not come back under its number; a topic's subscribers do.
    if (count === 0 && topic === undefined) this.#observedIds.delete(id);
    if (handler) this.#call(handler, count);
    const byName = topic === undefined ? undefined : this.#observedNames.get(topic);
    if (byName) this.#call(byName, count);
  }

  #call(handler, argument) {
    const failed = (error) => {
      this.stats.handlerErrors += 1;
      this.#emit("fault", { error });
    };
    try {
      const result = handler(argument);
      if (typeof result?.then === "function") result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  // Names, numbers and what waits for them

  #sendSubscription(topic) {
    // The sub-topics first: their acknowledgements come first, so the first message already finds its handler.
    for (const subtopic of this.#subscriptions.get(topic).subs.keys()) this.#createSub(subtopic);
    if (topic === SMQClient.SELF || this.#subscribed.has(topic)) return;
    this.#subscribed.add(topic);
    this.#topics.asked(topic);
    this.#send(encode.subscribe(topic));
  }

  #sendUnsubscribe(topic) {
    this.#subscribed.delete(topic);
    this.#send(encode.unsubscribe(this.#topics.id(topic)));
  }

  #sendObservation(topic) {
    const id = this.#topics.id(topic);
    if (id === undefined) return this.#create(topic);
    if (this.#observedIds.has(id)) return;
    this.#observedIds.set(id, null);
    this.#send(encode.observe(id));
  }

  #create(topic) {
    if (!this.#topics.asked(topic)) return;
    this.#created.add(topic);
    this.#send(encode.create(topic));
  }
  #createSub(subtopic) { if (this.#subtopics.asked(subtopic)) this.#send(encode.createsub(subtopic)); }

  #ask({ topic, subtopic }) {
    if (typeof topic === "string" && topic !== SMQClient.SELF) this.#create(topic);
    if (subtopic !== undefined) this.#createSub(subtopic);
  }

  /** @returns {[number, number]|null} topic and sub-topic number, or null when one is not known yet */
  #address({ topic, subtopic }) {
    const to = typeof topic === "number" ? topic : topic === SMQClient.SELF ? this.#etid : this.#topics.id(topic);
    const sub = subtopic === undefined ? 0 : this.#subtopics.id(subtopic);
    return to === undefined || sub === undefined ? null : [to, sub];
  }

  #enqueue(entry) {
    if (this.#pending.length >= this.#options.pendingLimit) {
      this.stats.droppedFull += 1;
      return false;
    }
    this.#pending.push(entry);
    return true;
  }

  #flush() {
    const oldest = this.#clock.now() - this.#options.pendingAge;
    this.stats.droppedOld += this.#pending.drop((entry) => entry.at < oldest);
    this.#pending.flush((entry) => {
      const address = this.#address(entry);
      if (address) this.#sendPublish(address, entry.data);
      return address !== null;
    });
  }

  #sendPublish([to, subtid], data) {
    if (this.#ws.bufferedAmount > this.#options.bufferLimit) {
      this.stats.droppedFull += 1;
      return false;
    }
    this.#send(encode.publish(to, this.#etid, subtid, data));
    this.stats.sent += 1;
    return true;
  }

  #send(frame) { this.#ws?.send(frame); }

  // Life signs

  #ping() {
    this.#pingSent = this.#clock.now();
    this.#send(encode.ping());
    this.#scheduleKeepAlive();
  }

  #pong() {
    if (this.#pingSent === null) return;
    this.#ponged = this.#clock.now();
    this.#rtt = this.#ponged - this.#pingSent;
    this.#pingSent = null;
    this.#scheduleKeepAlive();
    this.#emit("ping", { rtt: this.#rtt });
  }

  #scheduleKeepAlive() {
    const { pingInterval, pongTimeout } = this.#options;
    const next = this.#pingSent === null ? Math.min(this.#received + pingInterval, this.#ponged + this.#longestBusy)
      : Math.max(this.#received, this.#pingSent) + pongTimeout;
    this.#after("life signs", Math.max(0, next - this.#clock.now()), () => this.#keepAlive());
  }

  /**
   * Also on a busy connection a ping now and then, for the round trip that pages show: soon, if the last one was long,
   * because what was slow for a moment would look so long after.
   */
  get #longestBusy() {
    const { pingInterval } = this.#options;
    return this.#rtt !== null && this.#rtt > pingInterval / 5 ? pingInterval / 5 : 3 * pingInterval;
  }

  #keepAlive() {
    const { pingInterval, pongTimeout } = this.#options;
    const now = this.#clock.now();
    if (this.#pingSent !== null && now - Math.max(this.#received, this.#pingSent) >= pongTimeout) {
      return this.#lost(`The broker did not answer a ping in ${pongTimeout / 1000} s.`);
    }
    const due = now - this.#received >= pingInterval || now - this.#ponged >= this.#longestBusy;
    if (this.#pingSent === null && due) this.#ping();
    else this.#scheduleKeepAlive();
  }

  #after(name, delay, work) {
    this.#cancel(name);
    this.#timers.set(name, this.#clock.setTimeout(() => {
      this.#timers.delete(name);
      work();
    }, delay));
  }

  #cancel(name) {
    if (!this.#timers.has(name)) return;
    this.#clock.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}
