// The broker's status, asked for once a second.
import { ago, amount, links, missing, numbers } from "./status-model.js";

const find = (id) => document.getElementById(id);
const token = new URL(location.href).searchParams.get("token");
const EVERY = 1000;
const PATIENCE = 5000;

/** An element with a text; never HTML, because names come from other machines. */
function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function rows(target, lines) {
  find(target).replaceChildren(
    ...lines.map((cells) => {
      const row = document.createElement("tr");
      row.append(...cells.map(({ text, className }) => element("td", text, className)));
      return row;
    }),
  );
}

function show(status) {
  find("name").textContent = status.node?.name ?? "This broker";
  find("facts").textContent = [`up for ${ago(status.uptime)}`, `version ${status.version}`, status.node && `node ${status.node.id}`]
    .filter(Boolean)
    .join(" · ");
  find("numbers").replaceChildren(
    ...numbers(status).map(([name, value]) => {
      const tile = document.createElement("div");
      tile.append(element("dt", name), element("dd", value));
      return tile;
    }),
  );
  const peers = links(status);
  find("peers").hidden = peers.length === 0;
  rows("links", peers);
  const lost = missing(status);
  find("missing").hidden = lost.length === 0;
  rows("addresses", lost);
  say(status.draining ? "lost" : "connected", status.draining ? "Asks its clients to leave" : "Running");
}

function say(state, words) {
  find("link").dataset.state = state;
  if (find("state").textContent !== words) find("state").textContent = words;
}

async function ask() {
  try {
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    const answer = await fetch("status", { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status === 401) return say("stopped", "This page needs the token: add ?token=… to its address");
    if (!answer.ok) return say("lost", `The broker answers ${amount(answer.status)}`);
    show(await answer.json());
  } catch {
    say("lost", "The broker does not answer");
  }
}

if (token !== null) find("leds").href = `./?token=${encodeURIComponent(token)}`;
for (;;) {
  if (!document.hidden) await ask();
  await new Promise((done) => setTimeout(done, EVERY));
}
