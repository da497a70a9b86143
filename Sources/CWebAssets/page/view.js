// The page's DOM: shows a DeviceModel and the state of the connection, and reports what the user does.
// Text from devices goes through textContent only. Elements are kept and updated, so that focus and
// transitions survive; `render()` may be called as often as anything changes.

import { HeaderDrawing } from "./header.js";
import { sparkline, startCommand } from "./model.js";

const $ = (id) => document.getElementById(id);
const TOAST_TIME = 6000, TOAST_LIMIT = 3;

function make(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** Writes only what differs: an unchanged live region must not speak again. */
function setText(node, text) { if (node.textContent !== text) node.textContent = text; }
function setAttribute(node, name, value) { if (node.getAttribute(name) !== value) node.setAttribute(name, value); }
function setHidden(node, hidden) { if (node.hidden !== hidden) node.hidden = hidden; }

const clockText = (date) => date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const degrees = (tenths) => (tenths / 10).toFixed(1).replace("-", "\u2212");

/** Milliseconds for people. */
const gapText = (gap) => (gap === 0 ? "without a gap" : `without a node for ${gap < 1000 ? `${gap} ms` : `${(gap / 1000).toFixed(1)} s`}`);

/** The address of a node that is known by a name: `smq://name/smq.lsp (192.0.2.1:80)`. */
const placeOf = (node) => /\(([^()]+)\)$/.exec(node)?.[1] ?? node;

export class View {
  #entries = new Map(); // device key -> list item and its parts
  #switches = new Map(); // LED id -> switch and its parts
  #drawing = null; #drawn = ""; #shownKey = null;

  /** @param {DeviceModel} model @param {{press, choose, retry}} actions */
  constructor(model, actions) {
    this.model = model;
    this.actions = actions;
    /** What the client said last: {state, reason, attempt, node, rtt}. */
    this.link = { state: "connecting", reason: "", attempt: 1, node: "", rtt: null, lost: false };
    $("banner-button").addEventListener("click", () => actions.retry());
    $("copy").addEventListener("click", () => this.#copy());
    $("picker").addEventListener("click", () => this.#openPane($("picker").getAttribute("aria-expanded") !== "true"));
    $("device-list").addEventListener("keydown", (event) => this.#listKey(event));
    document.addEventListener("keydown", (event) => this.#pageKey(event));
    document.addEventListener("click", (event) => {
      if (!$("devices").contains(event.target)) this.#openPane(false);
    });
  }

  render(now) {
    this.#renderLink();
    this.#renderList();
    this.#renderDevice(now);
    this.#renderEmpty();
  }

  /** A short message that goes away by itself. */
  toast(text, kind = "") {
    const toasts = $("toasts");
    while (toasts.children.length >= TOAST_LIMIT) toasts.firstChild.remove();
    const toast = make("div", `toast ${kind}`, text);
    toasts.append(toast);
    setTimeout(() => toast.remove(), TOAST_TIME);
  }

  // Connection

  #renderLink() {
    const { state, reason, attempt, node, rtt, lost } = this.link;
    const connected = state === "connected", stopped = state === "stopped";
    setAttribute($("link"), "data-state", connected ? "connected" : stopped ? "stopped" : lost ? "lost" : "connecting");
    setText($("link-words"), connected ? "Connected" : stopped ? "Not connected"
      : lost ? "Reconnecting…" : "Connecting…");
    setText($("link-node"), node);
    setText($("link-rtt"), connected && rtt !== null ? (rtt < 1 ? "<1 ms" : `${Math.round(rtt)} ms`) : "");
    const trouble = stopped || (!connected && (lost || attempt > 2));
    setHidden($("banner"), !trouble);
    $("banner").classList.toggle("stopped", stopped);
    if (!trouble) return;
    const tries = attempt > 1 ? ` Attempt ${attempt}.` : "";
    setText($("banner-title"), stopped ? "Not connected. " : lost ? "Broker lost, reconnecting. " : "No broker yet, trying again. ");
    // A browser does not say why a WebSocket was refused; a missing token is what a person can mend.
    const hint = lost || stopped || location.search.includes("token=") ? ""
      : " If the program printed an address with a token, open that one.";
    setText($("banner-words"), stopped ? reason : `${reason}${tries}${hint}`);
    setText($("banner-button"), stopped ? "Connect again" : "Try now");
  }

  // Device list

  #renderList() {
    const list = $("device-list"), devices = this.model.list(), seen = new Set();
    let place = list.firstElementChild;
    for (const device of devices) {
      seen.add(device.key);
      const entry = this.#entries.get(device.key) ?? this.#makeEntry(device);
      this.#updateEntry(entry, device);
      if (entry.item === place) place = place.nextElementSibling;
      else list.insertBefore(entry.item, place);
    }
    for (const [key, entry] of this.#entries) {
      if (seen.has(key)) continue;
      const hadFocus = entry.item === document.activeElement;
      entry.item.remove();
      this.#entries.delete(key);
      if (hadFocus) this.#entries.get(this.model.selected?.key)?.item.focus();
    }
    const { here, hidden, ignored, selected } = this.model;
    setText($("count"), here > 0 ? String(here) : "");
    setText($("picker-name"), selected?.name ?? "No device");
    setText($("picker-address"), selected?.ip ?? "waiting for one");
    setText($("picker-count"), here > 1 ? `${here} devices` : "");
    const notes = devices.length === 0 ? ["They appear here when they connect."] : [];
    if (hidden.size > 0) notes.push(`${hidden.size} more not shown.`);
    if (ignored > 0) notes.push(`${ignored} ${ignored === 1 ? "message" : "messages"} ignored (not understood).`);
    setText($("list-note"), notes.join(" "));
    setHidden($("list-note"), notes.length === 0);
  }

  #makeEntry(device) {
    const item = make("li");
    item.setAttribute("role", "option");
    item.dataset.key = device.key;
    const address = make("span", "address"), name = make("span", "name"), state = make("span", "state");
    const lamps = make("span", "lamps"), temp = make("span", "temp");
    lamps.setAttribute("aria-hidden", "true");
    const words = make("span", "words"), side = make("span", "side");
    words.append(address, name, state);
    side.append(lamps, temp);
    item.append(words, side);
    item.addEventListener("click", () => {
      this.actions.choose(device.key);
      this.#openPane(false);
    });
    const entry = { item, address, name, state, lamps, temp };
    this.#entries.set(device.key, entry);
    return entry;
  }

  #updateEntry(entry, device) {
    const selected = device === this.model.selected;
    setAttribute(entry.item, "aria-selected", String(selected));
    setAttribute(entry.item, "tabindex", selected ? "0" : "-1");
    setAttribute(entry.item, "data-state", device.state);
    setText(entry.address, device.ip);
    setText(entry.name, device.name);
    setText(entry.state, device.state === "away" ? "went away" : "");
    setText(entry.temp, device.temp === null || device.state === "away" ? "" : `${degrees(device.temp)}°`);
    while (entry.lamps.children.length > device.leds.length) entry.lamps.lastChild.remove();
    while (entry.lamps.children.length < device.leds.length) entry.lamps.append(make("i"));
    device.leds.forEach((led, index) =>
      setAttribute(entry.lamps.children[index], "class", `led-${led.color}${led.on ? " on" : ""}`));
  }

  #listKey(event) {
    const devices = this.model.list(), at = devices.indexOf(this.model.selected);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: devices.length - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") this.#openPane(false);
    else if (to === undefined) return;
    event.preventDefault();
    const device = devices[Math.max(0, Math.min(devices.length - 1, to))];
    if (to === undefined || !device) return;
    this.actions.choose(device.key);
    this.#renderList();
    this.#entries.get(device.key).item.focus();
  }

  /** On a narrow screen the list is behind a button. */
  #openPane(open) {
    setAttribute($("picker"), "aria-expanded", String(open));
    $("devices").classList.toggle("open", open);
    if (open) this.#entries.get(this.model.selected?.key)?.item.focus();
    else if ($("device-pane").contains(document.activeElement) && $("picker").offsetParent) $("picker").focus();
  }

  // Chosen device

  #renderDevice(now) {
    const device = this.model.selected;
    setHidden($("device"), !device);
    if (!device) return;
    setAttribute($("device"), "data-state", device.state);
    setText($("name"), device.name);
    setText($("address"), device.ip);
    setText($("model"), device.board?.model ?? "");
    setHidden($("simulated"), device.board?.simulated !== true);
    setText($("presence"), device.state === "away"
      ? `Went away at ${clockText(this.#wallClock(device.since, now))}. It reappears here when it is back.` : "");
    this.#renderCluster(device);
    this.#renderSwitches(device);
    this.#renderTemperature(device, now);
    this.#renderBoard(device);
    const digits = Math.min(9, device.leds.length);
    setText($("keys"), digits === 0 ? "" : digits === 1 ? "Key 1 switches it." : `Keys 1 to ${digits} switch the LEDs.`);
  }

  #wallClock(at, now) { return new Date(Date.now() - (now - at)); }

  #renderCluster(device) {
    const cluster = device.cluster;
    setHidden($("cluster"), !cluster);
    if (!cluster) return;
    setText($("cluster-node"), `Connected to ${placeOf(cluster.node)}`);
    setAttribute($("cluster-node"), "title", cluster.node);
    setText($("cluster-standby"), cluster.standby ? `standby ${placeOf(cluster.standby)}` : "");
    const times = cluster.moves === 1 ? "moved once" : `moved ${cluster.moves} times`;
    const last = cluster.last ? `, ${cluster.moves === 1 ? "" : "last "}${gapText(cluster.last.gap)}` : "";
    setText($("cluster-moves"), cluster.moves === 0 ? "" : times + last);
    const kept = [cluster.waiting && `${cluster.waiting} kept`, cluster.dropped && `${cluster.dropped} given up`];
    setText($("cluster-kept"), kept.some(Boolean) ? `messages: ${kept.filter(Boolean).join(", ")}` : "");
    setAttribute($("cluster-moves"), "title", cluster.last
      ? [cluster.last.reason, cluster.last.from && `before: ${cluster.last.from}`].filter(Boolean).join("; ") : "");
  }

  #renderSwitches(device) {
    const box = $("switches");
    if (this.#shownKey !== device.key) {
      this.#switches.clear();
      box.replaceChildren();
      this.#shownKey = device.key;
    }
    const ids = new Set(device.leds.map((led) => led.id));
    for (const [id, parts] of this.#switches) {
      if (ids.has(id)) continue;
      parts.button.remove();
      this.#switches.delete(id);
    }
    device.leds.forEach((led, index) => {
      const parts = this.#switches.get(led.id) ?? this.#makeSwitch(led.id);
      if (box.children[index] !== parts.button) box.insertBefore(parts.button, box.children[index] ?? null);
      setAttribute(parts.button, "class",
        `switch led-${led.color}${led.on ? " on" : ""}${led.pending ? " pending" : ""}`);
      setAttribute(parts.button, "aria-checked", String(led.on));
      setAttribute(parts.button, "aria-busy", String(led.pending !== null));
      // Not `disabled`: a button that vanishes from the tab order under the finger is worse than one that says no.
      setAttribute(parts.button, "aria-disabled", String(device.state !== "here"));
      setText(parts.name, led.name);
      const place = [led.pin === null ? "" : `Pin ${led.pin}`, led.line ?? ""].filter(Boolean).join(" · ");
      setText(parts.place, led.problem ?? (place || (led.on ? "On" : "Off")));
      parts.place.classList.toggle("problem", led.problem !== null);
      setText(parts.key, index < 9 ? String(index + 1) : "");
    });
    setHidden(box.parentElement, device.leds.length === 0);
  }

  #makeSwitch(id) {
    const button = make("button");
    button.type = "button";
    button.setAttribute("role", "switch");
    button.dataset.led = id;
    const lamp = make("span", "lamp"), words = make("span", "words"), track = make("span", "track");
    const name = make("span", "name"), place = make("span", "place"), key = make("kbd");
    key.setAttribute("aria-hidden", "true");
    track.append(make("span", "thumb"));
    const first = make("span", "first");
    first.append(name, key);
    words.append(first, place);
    button.append(lamp, words, track);
    button.addEventListener("click", () => this.#press(id));
    const parts = { button, name, place, key };
    this.#switches.set(id, parts);
    return parts;
  }

  #press(id) {
    if (this.model.selected) this.actions.press(this.model.selected, id);
  }

  #renderTemperature(device, now) {
    setHidden($("temperature"), device.temp === null);
    if (device.temp === null) return;
    setText($("temperature-value"), degrees(device.temp));
    const path = sparkline(device.history, now);
    if (!path) return;
    setAttribute($("spark").querySelector(".line"), "d", path.line);
    setAttribute($("spark").querySelector(".area"), "d", path.area);
    setText($("spark-start"), path.span >= 120000 ? "2 min ago" : `${Math.round(path.span / 1000)} s ago`);
  }

  #renderBoard(device) {
    const pins = device.board?.pins;
    setHidden($("board"), !pins);
    $("device").classList.toggle("with-board", Boolean(pins));
    if (!pins) return;
    const drawn = JSON.stringify([device.key, pins, device.leds.map(({ id, name, color, pin }) => [id, name, color, pin])]);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#drawing = new HeaderDrawing(device, (id) => this.#press(id));
      $("drawing").replaceChildren(this.#drawing.svg);
    }
    this.#drawing.update(device);
  }

  // No device

  #renderEmpty() {
    setHidden($("empty"), this.model.selected !== null);
    if (this.model.selected) return;
    setText($("command"), startCommand(new URL(location.href)));
    const connected = this.link.state === "connected";
    setText($("empty-title"), connected ? "No device yet" : "Waiting for the broker");
  }

  async #copy() {
    const text = $("command").textContent;
    try {
      await navigator.clipboard.writeText(text);
      setText($("copy"), "Copied");
    } catch {
      // Without https the clipboard is closed to pages: select the text, so that Ctrl+C does it.
      getSelection().selectAllChildren($("command"));
      setText($("copy"), "Press Ctrl+C");
    }
    setTimeout(() => setText($("copy"), "Copy"), 2500);
  }

  #pageKey(event) {
    if (event.key === "Escape") return this.#openPane(false);
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !/^[1-9]$/.test(event.key)) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    const led = this.model.selected?.leds[Number(event.key) - 1];
    if (led) this.#press(led.id);
  }
}
