// The gateway's page: asks for /status every second and shows it. It changes nothing.
import { drawAirtime, drawPoints, spreadingFactor } from "./lora-pictures.js";

const byId = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token");
const address = token ? `/status?token=${encodeURIComponent(token)}` : "/status";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const megahertz = (hertz) => (hertz / 1e6).toFixed(4).replace(/0{1,3}$/, "");
const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString("en-GB");

/** An element with a text and attributes. */
function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== false) made.setAttribute(key, value);
  return made;
}

function row(cells, attributes = {}) {
  const made = element("tr", "", attributes);
  for (const cell of cells) made.append(cell instanceof Node ? cell : element("td", String(cell)));
  return made;
}

const number = (value) => element("td", value === null ? "–" : String(value), { class: "number" });

function rate(datr) {
  const cell = element("td");
  cell.append(element("span", "", { class: "sf", "data-sf": spreadingFactor(datr) }), datr);
  return cell;
}

function showHead(status) {
  byId("gateway").textContent = status.gateway.match(/..../g)?.join(" ") ?? status.gateway;
  const radio = status.radio;
  const text = radio.running ? "" : radio.problem ? `: ${radio.problem}` : ": it is starting";
  byId("radio").textContent = `${radio.name}${status.region ? `, ${status.region}` : ""}${text}`;
  byId("radio").dataset.state = radio.running ? "good" : "bad";
  byId("heard").textContent = whole.format(radio.counters.received);
  byId("rate").textContent = whole.format(status.frames.filter((frame) => frame.t > status.time - 60000).length);
  byId("sent").textContent = whole.format(status.queue.emitted);
  const refused = Object.values(status.queue.refused).reduce((sum, count) => sum + count, 0);
  const failed = Object.values(status.queue.failed).reduce((sum, count) => sum + count, 0);
  byId("refused").textContent = whole.format(refused + failed);
  byId("refused-tile").toggleAttribute("data-some", refused + failed > 0);
}

function showUplinks(uplinks) {
  byId("uplinks").replaceChildren(...uplinks.map((uplink) => {
    const item = element("li");
    const title = element("p", "", { class: "title" });
    title.append(
      element("span", uplink.name, { class: "name" }), element("span", uplink.kind, { class: "kind" }),
      element("span", uplink.state, { class: "state", "data-up": uplink.up ? "" : null }));
    const where = [uplink.address, uplink.addresses > 1 ? `one of ${uplink.addresses} addresses` : null,
      uplink.roundTrip === null ? null : `${uplink.roundTrip} ms`].filter(Boolean).join(", ");
    const counters = uplink.counters;
    const counts = [`${whole.format(counters.sent)} sent`, `${whole.format(counters.delivered)} acknowledged`];
    if (counters.missed > 0) counts.push(`${whole.format(counters.missed)} missed`);
    if (counters.dropped > 0) counts.push(`${whole.format(counters.dropped)} given up`);
    if (counters.filtered > 0) counts.push(`${whole.format(counters.filtered)} filtered`);
    if (uplink.store) counts.push(`${whole.format(uplink.store.waiting)} wait on disk`);
    if (counters.late > 0) counts.push(`${whole.format(counters.late)} late`);
    counts.push(uplink.uplinkOnly ? "uplinks only" : `${whole.format(counters.downlinks)} to send`);
    item.append(title, element("p", where || "no address yet", { class: "where" }), element("p", counts.join(" · "), { class: "counts" }));
    if (uplink.problem) item.append(element("p", uplink.problem, { class: "problem" }));
    return item;
  }));
}

function showPictures(status) {
  const oldest = status.frames.length > 0 ? status.frames[0].t : status.time - 60000;
  const from = Math.max(oldest, status.time - 3600000);
  const seconds = Math.max(1, Math.round((status.time - from) / 1000));
  byId("signal-from").textContent = seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
  drawPoints(byId("signal"), status.frames, (frame) => frame.rssi, { unit: "dBm", least: [-120, -80] }, from, status.time);
  drawPoints(byId("noise"), status.frames, (frame) => frame.snr, { unit: "dB", least: [-15, 10] }, from, status.time);
  drawAirtime(byId("airtime"), status.minutes, status.time);
  const factors = [...new Set(status.frames.map((frame) => spreadingFactor(frame.datr)))].sort((a, b) => a - b);
  byId("signal-legend").replaceChildren(...factors.map((sf) => element("span", sf === 0 ? "FSK" : `SF${sf}`, { class: "key", "data-sf": sf })));
}

function bar(up, down, most) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 10");
  svg.setAttribute("preserveAspectRatio", "none");
  const part = (name, x, width) => {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [key, value] of Object.entries({ class: name, x, y: 0, width, height: 10 })) rect.setAttribute(key, value);
    svg.append(rect);
  };
  part("track", 0, 100);
  part("up", 0, (up / most) * 100);
  part("down", (up / most) * 100, (down / most) * 100);
  return svg;
}

function showChannels(status) {
  const most = Math.max(1, ...status.channels.map((channel) => channel.up + channel.down));
  byId("channels").replaceChildren(...status.channels.map((channel) => {
    const cell = element("td");
    cell.append(bar(channel.up, channel.down, most));
    return row([element("td", megahertz(channel.freq)), cell, number(channel.frames), number(channel.downlinks)]);
  }));
  byId("duty").textContent = status.duty.filter((band) => band.use > 0)
    .map((band) => `${megahertz(band.from)} to ${megahertz(band.to)} MHz: ${band.use / 10} % of its duty cycle of ${band.limit / 10} % is used`).join(". ");
}

function showFrames(frames) {
  byId("no-frames").hidden = frames.length > 0;
  byId("frames").replaceChildren(...frames.slice(-60).reverse().map((frame) => row([
    clock(frame.t), megahertz(frame.freq), rate(frame.datr), number(frame.rssi.toFixed(0)),
    number(frame.snr === null ? null : frame.snr.toFixed(1)), number(frame.size),
    element("td", frame.crc === -1 ? `${frame.kind}, CRC wrong` : frame.kind, { class: "kind" }),
  ], { "data-bad": frame.crc === -1 ? "" : null })));
}

function showDownlinks(status) {
  byId("no-downlinks").hidden = status.downlinks.length > 0;
  const queue = [`${status.queue.waiting} waiting`];
  if (status.queue.handOverShortest !== null) {
    queue.push(`handed over ${(status.queue.handOverShortest / 1000).toFixed(1)} to ${(status.queue.handOverLongest / 1000).toFixed(1)} ms before`);
  }
  byId("queue").textContent = queue.join(", ");
  // Whom a frame is for says something only where there are several.
  byId("downlinks").closest("table").toggleAttribute("data-one", status.uplinks.length < 2);
  byId("downlinks").replaceChildren(...[...status.downlinks].reverse().map((downlink) => {
    const fate = element("td", downlink.fate, { class: "fate", "data-fate": ["sent", "waiting"].includes(downlink.fate) ? downlink.fate : "bad" });
    return row([
      clock(downlink.t), fate, megahertz(downlink.freq), rate(downlink.datr),
      number(["sent", "waiting"].includes(downlink.fate) ? downlink.power : null), element("td", downlink.kind), downlink.from,
    ]);
  }));
}

function showDevices(devices) {
  byId("devices-card").hidden = !devices || devices.length === 0;
  byId("devices").replaceChildren(...(devices ?? []).slice(0, 100).map((device) => row([
    device.eui, device.addr ?? "not joined", device.class, number(device.sf), number(device.joins), number(device.uplinks),
    number(device.rx1), number(device.rx2), number(device.classC),
  ])));
}

function showWarnings(warnings) {
  const kinds = Object.entries(warnings);
  byId("warnings-card").hidden = kinds.length === 0;
  byId("warnings").textContent = kinds.map(([kind, count]) => `${kind}: ${whole.format(count)}`).join(" · ");
}

function show(status) {
  showHead(status);
  showUplinks(status.uplinks);
  showPictures(status);
  showChannels(status);
  showFrames(status.frames);
  showDownlinks(status);
  showDevices(status.devices);
  showWarnings(status.warnings);
}

let last = null;

async function update() {
  try {
    const response = await fetch(address, { cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    last = await response.json();
    show(last);
    byId("ended").hidden = true;
  } catch {
    byId("ended").hidden = false;
  }
  setTimeout(update, document.hidden ? 5000 : 1000);
}

addEventListener("resize", () => { if (last) showPictures(last); });
update();
