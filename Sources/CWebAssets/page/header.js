// The board's pin header as SVG: two columns of pins as on the board (odd left, even right), each LED on its pin.

const SVG = "http://www.w3.org/2000/svg";
const ROW = 23, TOP = 14, CENTER = 180, GAP = 13, WIDTH = 360;

function element(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** The lane of an LED has room for so many characters; the switches show the whole name. */
const cut = (text, limit) => ([...text].length > limit ? `${[...text].slice(0, limit - 1).join("")}…` : text);

/** The drawing of one device's header. `onPress(id)` is called for a click on an LED of it. */
export class HeaderDrawing {
  #leds = new Map();

  constructor(device, onPress) {
    const { pins } = device.board;
    const rows = Math.ceil(pins.at(-1).pin / 2);
    const height = TOP * 2 + rows * ROW;
    this.svg = element("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", class: "header" });
    this.title = element("title");
    this.svg.append(this.title);
    this.svg.append(
      element("rect", { class: "pcb", x: CENTER - 34, y: 0, width: 68, height, rx: 9 }),
      element("rect", { class: "plastic", x: CENTER - 26, y: TOP - 5, width: 52, height: rows * ROW + 10, rx: 4 }));
    const ledOf = new Map(device.leds.filter((led) => led.pin !== null).map((led) => [led.pin, led]));
    for (const pin of pins) this.#drawPin(pin, ledOf.get(pin.pin), onPress);
  }

  #drawPin({ pin, kind, signal }, led, onPress) {
    const left = pin % 2 === 1, side = left ? -1 : 1;
    const x = CENTER + side * GAP, y = TOP + (Math.ceil(pin / 2) - 0.5) * ROW;
    const group = element("g", { class: `pin ${kind}` });
    if (led) {
      group.classList.add("has-led", `led-${led.color}`);
      const outer = CENTER + side * 172;
      const inner = CENTER + side * 32;
      group.append(element("rect", {
        class: "lane", x: Math.min(outer, inner), y: y - 10, width: Math.abs(outer - inner), height: 20, rx: 10,
      }));
      const lamp = CENTER + side * 162;
      group.append(element("circle", { class: "bulb", cx: lamp, cy: y, r: 6 }));
      group.append(element("text", {
        class: "led-name", x: CENTER + side * 150, y: y + 3.8, "text-anchor": left ? "start" : "end",
      }, cut(led.name, 9)));
      group.addEventListener("click", () => onPress(led.id));
      this.#leds.set(led.id, group);
    }
    group.append(
      element("text", { class: "signal", x: CENTER + side * 42, y: y + 3.8, "text-anchor": left ? "end" : "start" },
        cut(signal, led ? 8 : 16)),
      element("rect", { class: "contact", x: x - 9, y: y - 9, width: 18, height: 18, rx: pin === 1 ? 2 : 9 }),
      element("text", { class: "number", x, y: y + 3, "text-anchor": "middle" }, String(pin)));
    this.svg.append(group);
  }

  /** Shows each LED as it is now. */
  update(device) {
    const words = [];
    for (const led of device.leds) {
      const group = this.#leds.get(led.id);
      if (!group) continue;
      group.classList.toggle("on", led.on);
      group.classList.toggle("pending", led.pending !== null);
      words.push(`${led.name} on pin ${led.pin} is ${led.on ? "on" : "off"}`);
    }
    const title = `Pin header of ${device.board.model}. ${words.join(", ")}.`;
    if (this.title.textContent !== title) this.title.textContent = title;
  }
}
