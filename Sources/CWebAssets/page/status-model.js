// What the status page shows, from the members of /status (docs/cluster.md).

/** A whole number with thin gaps between thousands. */
export const amount = (value) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** The same in few characters: from a million on in millions, from a milliard on in milliards. */
export function short(value) {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)} M` : amount(value);
}

/** Bytes in the largest unit that leaves at least 1. */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A time in words, of its two largest units. @param {number} seconds */
export function ago(seconds) {
  const parts = [];
  let rest = Math.floor(seconds);
  for (const [name, length] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const count = Math.floor(rest / length);
    rest %= length;
    if (count > 0 || (name === "s" && parts.length === 0)) parts.push(`${count} ${name}`);
  }
  return parts.slice(0, 2).join(" ");
}

/** Part of one processor. */
export const share = (cpu) => `${(cpu * 100).toFixed(cpu < 0.1 ? 1 : 0)} %`;

/** The tiles. @returns {[string, string][]} */
export const numbers = (status) => [
  ["Clients", amount(status.connections)],
  ["Topics", amount(status.topics)],
  ["Messages in", `${short(status.messages.receivedPerSecond)}/s`],
  ["Messages out", `${short(status.messages.deliveredPerSecond)}/s`],
  ["In, since start", short(status.messages.received)],
  ["Out, since start", short(status.messages.delivered)],
  ["Waiting", bytes(status.queuedBytes)],
  ["CPU", share(status.cpu)],
  ["Memory", bytes(status.memory)],
];

const cell = (text, className = "") => ({ text, className });

/** A row for each link. */
export const links = (status) =>
  (status.peers ?? []).map((peer) => {
    const told = peer.connections !== undefined;
    const state = !peer.up ? cell("down", "bad") : peer.draining ? cell("drains", "warn") : cell("up", "good");
    return [
      cell(peer.name),
      cell(peer.address),
      state,
      cell(told ? amount(peer.connections) : "–"),
      cell(told ? share(peer.cpu) : "–"),
      cell(told ? bytes(peer.memory) : "–"),
      cell(bytes(peer.queuedBytes)),
      cell(short(peer.sent)),
      cell(short(peer.received)),
    ];
  });

/** A row for each address that is not this node's own and that no link leads to. */
export const missing = (status) =>
  (status.addresses ?? [])
    .filter((entry) => !entry.up && !entry.own)
    .map((entry) => [cell(entry.address), cell(entry.failure ?? "not tried yet", entry.failure === null ? "" : "bad")]);
