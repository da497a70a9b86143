// The recorded LED sessions of Tests/Vectors, as frames without raw TCP's length (that is how WebSocket carries them).
import { readFileSync } from "node:fs";

function read(file) {
  const text = readFileSync(new URL(`../Vectors/${file}`, import.meta.url), "utf8");
  const frames = [];
  for (const line of text.split("\n")) {
    const match = /^\s*[\d.]+ #\d+ ([CB])>[CB] (\w+)\s+((?:[0-9a-f]{2} )+)/.exec(line);
    if (!match) continue;
    const bytes = Uint8Array.from(match[3].trim().split(" "), (pair) => parseInt(pair, 16));
    if (bytes[0] * 256 + bytes[1] !== bytes.length) throw new Error(`${file}: wrong length in ${line}`);
    frames.push({ from: match[1] === "C" ? "client" : "broker", name: match[2], bytes: bytes.subarray(2) });
  }
  return frames;
}

export const DEVICE_SESSION = read("smq-led-device.txt");
export const DISPLAY_SESSION = read("smq-led-display.txt");
