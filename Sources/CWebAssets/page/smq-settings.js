// Settings of the SMQ client and the small functions that make its defaults.

/** Default settings, in milliseconds where a time is meant. Every one can be given to the constructor. */
export const DEFAULTS = Object.freeze({
  backoffBase: 50, // the first wait is at most this, each next one at most twice the last
  backoffCap: 2000, // and never more than this
  stableAfter: 5000, // a connection this old resets the back-off; a younger one may be a refusal in disguise
  handshakeTimeout: 8000, // from opening the socket to Connack
  pingInterval: 5000, // ping when nothing was received for this long
  pongTimeout: 5000, // give up when nothing at all came this long after a ping
  pendingLimit: 64, // messages that wait for the first connection or for an id
  pendingAge: 10000, // a message that waited longer than this is dropped instead of sent
  bufferLimit: 1 << 20, // bytes that may wait in the socket before messages are dropped
});

/** What the codes of a Connack mean. */
export const REFUSALS = {
  1: "protocol version or uid not accepted",
  2: "not available now",
  3: "wrong credentials",
  4: "a client certificate is required",
  5: "the client certificate was rejected",
  6: "permission denied",
};

/** A uid for one page load: two tabs must differ, because a broker lets only the newest of equal uids stay. */
export function randomUid() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return "web-" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The broker that served this page; a `?token=` of the page is passed on. @param {Location|URL} page */
export function brokerURL(page) {
  const url = new URL("/smq.lsp", page.href);
  url.protocol = page.protocol === "https:" ? "wss:" : "ws:";
  const token = new URL(page.href).searchParams.get("token");
  if (token !== null) url.searchParams.set("token", token);
  return url.href;
}

/** Full jitter: anywhere between 0 and the exponential bound. @returns {number} milliseconds */
export function backoffDelay(failures, { backoffBase, backoffCap }, random) {
  return random() * Math.min(backoffCap, backoffBase * 2 ** Math.min(failures, 16));
}
