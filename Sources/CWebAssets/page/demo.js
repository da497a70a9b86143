// The cluster demo's page: asks its server four times a second how all is, shows it, and sends what buttons ask for.

import { drawCourse } from "./demo-course.js";

const token = document.querySelector("meta[name=demo-token]").content;
const byId = (id) => document.getElementById(id);
const PERIOD = 250, MOVES = 6;
const COUNTS = ["no", "one", "two", "three", "four"];
const panes = [];
let failures = 0, hasEnded = false, last = null;

/** Sets a text only when it is another one, so that screen readers hear news only. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A number and its unit. */
function measure(element, number, unit) {
  if (element.dataset.shown === `${number}${unit}`) return;
  element.dataset.shown = `${number}${unit}`;
  const small = document.createElement("small");
  small.textContent = unit;
  element.replaceChildren(String(number), ...(unit ? [small] : []));
}

const grouped = (number) => number.toLocaleString("en");

/** The time without a node: until the loss was noticed, and until another was in use. */
const outage = (move) => move.gap + move.silence;
const span = (ms) => (ms < 10000 ? [ms, "ms"] : [(ms / 1000).toFixed(1), "s"]);

const time = (ms) => span(ms).join(" ");

function ago(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 2) return "just now";
  return seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
}

const SIGNALS = { 4: "SIGILL", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM" };
const ending = (exit) => (exit < 0 ? `signal ${-exit}${SIGNALS[-exit] ? ` (${SIGNALS[-exit]})` : ""}` : `exit status ${exit}`);

/** What a node's state is called, and what stands over its page. */
function words(node) {
  switch (node.state) {
    case "running": return ["Running", "", ""];
    case "starting": return ["Starting…", "Starting…", ""];
    case "frozen": return ["Frozen", "Frozen", "It still takes connections and answers nothing: the hardest fault to notice."];
    case "stopping": return ["Stopping…", "Stopping…", ""];
    case "crashed": return [`Crashed: ${ending(node.exit)}`, `Crashed: ${ending(node.exit)}`, node.word ?? "It ended by itself."];
    default: return ["Stopped", "Stopped", "As if its power had been cut."];
  }
}

class Pane {
  constructor(node, index) {
    this.root = byId("node").content.firstElementChild.cloneNode(true);
    this.root.dataset.node = index;
    this.frame = this.root.querySelector("iframe");
    this.find = (selector) => this.root.querySelector(selector);
    const id = `node-${index}-name`;
    this.find("h2").textContent = node.name;
    this.find("h2").id = id;
    this.root.setAttribute("aria-labelledby", id);
    this.find(".buttons").setAttribute("aria-label", node.name);
    this.frame.title = `The page of ${node.name}`;
    say(this.find(".address"), node.address);
    for (const button of this.root.querySelectorAll("button")) {
      button.setAttribute("aria-label", `${button.textContent} ${node.name}`);
      button.addEventListener("click", () => this.send(index, button));
    }
    byId("nodes").append(this.root);
    this.loaded = 0;
  }

  async send(node, button) {
    const command = button.dataset.command;
    button.disabled = true;
    try {
      const answer = await fetch(`node?node=${node}&command=${command}`, { method: "POST", headers: { Authorization: `Bearer ${token}` } });
      // The token of an earlier run: the page is older than the demo.
      if (answer.status === 401) location.reload();
    } catch { /* The next poll says that the demo has ended. */ }
    button.disabled = false;
    // Where the pressed button goes away, the one that undoes it gets the focus, so that the keyboard stays here.
    await poll();
    if (!button.checkVisibility()) [...this.root.querySelectorAll("button")].find((other) => other.checkVisibility())?.focus();
  }

  show(node, index, state) {
    const [short, big, fine] = words(node), { root } = this;
    root.dataset.state = node.state;
    root.classList.toggle("active", state.device.node === index);
    say(this.find(".state"), short);
    say(this.find(".here"), node.received > 0 ? `${grouped(node.received)} messages heard here` : "");
    say(this.find(".veil .big"), big);
    say(this.find(".veil .fine"), fine);
    for (const button of root.querySelectorAll("button")) button.hidden = !node.commands.includes(button.dataset.command);
    // A page that was loaded finds its way back by itself, which is part of the show; one that could not be has to be
    // loaded once its node serves.
    const now = performance.now();
    if (node.state === "running") {
      if (this.loaded === 0) {
        this.loaded = now;
        this.frame.src = node.url;
      }
    } else if (this.loaded > 0 && now - this.loaded < 3000) {
      this.loaded = 0;
    }
  }
}

function showDevice(state) {
  const rail = byId("rail"), { node, standby, trouble } = state.device;
  say(byId("standby"), node !== null && standby !== null && standby !== node ? `, ${state.nodes[standby].name} stands by` : "");
  rail.dataset.count = state.nodes.length;
  rail.dataset.state = node === null ? "searching" : "connected";
  if (node === null) {
    delete rail.dataset.at;
    delete rail.dataset.node;
    const isUp = state.nodes.some((other) => other.state === "running");
    say(byId("where"), isUp ? "The device looks for a node…" : "No node is up: the device keeps its messages and tries again");
    byId("where").title = trouble ?? "";
  } else {
    rail.dataset.at = node;
    rail.dataset.node = node;
    say(byId("where"), `The device uses ${state.nodes[node].name}`);
  }
}

function showMoves(state) {
  const name = (index) => (index === null ? "?" : state.nodes[index].name);
  const newest = state.moves.slice(-MOVES).reverse();
  byId("no-moves").hidden = newest.length > 0;
  const list = byId("moves");
  if (list.dataset.newest !== String(newest[0]?.number ?? 0)) {
    list.dataset.newest = newest[0]?.number ?? 0;
    list.replaceChildren(...newest.map((move) => {
      const item = document.createElement("li"), way = document.createElement("b"), facts = document.createElement("span"), age = document.createElement("span");
      if (move.to !== null) item.dataset.node = move.to;
      way.textContent = `${name(move.from)} → ${name(move.to)}`;
      const pace = move.gap === 0 ? "at once" : `in ${time(move.gap)}`;
      facts.textContent = move.silence === 0 ? pace : `noticed after ${time(move.silence)}, moved ${pace}`;
      item.title = move.reason;
      item.append(way, facts, age);
      return item;
    }));
  }
  newest.forEach((move, index) => say(list.children[index].lastElementChild, ago(move.age)));
  if (newest[0]) measure(byId("gap"), ...span(outage(newest[0])));
}

function show(state) {
  if (panes.length === 0) {
    state.nodes.forEach((node, index) => panes.push(new Pane(node, index)));
    say(byId("how-many"), COUNTS[state.nodes.length] ?? String(state.nodes.length));
    byId("legend").replaceChildren(...state.nodes.map((node, index) => {
      const item = document.createElement("span");
      item.dataset.node = index;
      item.textContent = node.name;
      return item;
    }));
  }
  state.nodes.forEach((node, index) => panes[index].show(node, index, state));
  const { sent, received, lost } = state.messages;
  measure(byId("sent"), grouped(sent), "");
  measure(byId("received"), grouped(received), "");
  measure(byId("lost"), grouped(lost), "");
  byId("promise").hidden = lost > 0;
  byId("lost-tile").dataset.lost = lost > 0 ? "some" : received > 0 ? "none" : "";
  showDevice(state);
  showMoves(state);
  drawCourse(byId("course"), state.course, state.moves);
}

async function poll() {
  let state = null;
  try {
    const answer = await fetch("state.json", { signal: AbortSignal.timeout(3000) });
    if (answer.ok) state = await answer.json();
  } catch { /* Counted below. */ }
  failures = state ? 0 : failures + 1;
  // A demo that was started again has other nodes and another token.
  if (state && hasEnded) location.reload();
  hasEnded ||= failures >= 3;
  byId("ended").hidden = !hasEnded;
  if (!state) return;
  last = state;
  show(state);
}

async function run() {
  for (;;) {
    await poll();
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}

addEventListener("resize", () => { if (last) drawCourse(byId("course"), last.course, last.moves); });
run();
