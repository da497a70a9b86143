// Pictures of the gateway's page: strength and noise of frames as points, time on the air as bars.

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The spreading factor of "SF9BW125"; 0 for FSK. */
export const spreadingFactor = (datr) => Number(/^SF(\d+)BW/.exec(datr)?.[1] ?? 0);

/** The colour of a spreading factor. */
export const colour = (sf) => style(`--sf-${sf === 0 ? 0 : Math.min(12, Math.max(7, sf))}`);

/** A canvas with as many pixels as the screen has, cleared; null while it is not shown. */
function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (width === 0 || height === 0) return null;
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  return { context, width, height };
}

const left = 62;

/** Round steps between two values, at most about `count`. */
export function steps(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= raw);
  const values = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) values.push(Math.round(value * 1e6) / 1e6);
  return values;
}

function grid({ context, width, height }, low, high, unit) {
  const y = (value) => height - 6 - ((value - low) / (high - low)) * (height - 16);
  context.strokeStyle = style("--line");
  context.fillStyle = style("--soft");
  context.textAlign = "right";
  context.textBaseline = "middle";
  const marks = steps(low, high, 4);
  marks.forEach((value, index) => {
    context.beginPath();
    context.moveTo(left, Math.round(y(value)) + 0.5);
    context.lineTo(width, Math.round(y(value)) + 0.5);
    context.stroke();
    context.fillText(index === marks.length - 1 ? `${value} ${unit}` : `${value}`, left - 6, y(value));
  });
  return y;
}

/** Points over time: `value` of each frame, coloured by spreading factor. */
export function drawPoints(canvas, frames, value, { unit, least }, from, to) {
  const place = prepare(canvas);
  if (!place) return;
  const points = frames.filter((frame) => value(frame) !== null && frame.t >= from);
  let low = Math.min(...points.map(value), least[0]);
  let high = Math.max(...points.map(value), least[1]);
  low = Math.floor(low / 5) * 5;
  high = Math.ceil(high / 5) * 5;
  const y = grid(place, low, high, unit);
  const { context, width } = place;
  for (const frame of points) {
    const x = left + ((frame.t - from) / Math.max(1, to - from)) * (width - left - 6);
    context.fillStyle = colour(spreadingFactor(frame.datr));
    context.globalAlpha = frame.crc === -1 ? 0.3 : 0.85;
    context.beginPath();
    context.arc(x, y(value(frame)), 3.2, 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
}

/** Bars of sixty minutes: time on the air heard above, sent stacked on it, in seconds. */
export function drawAirtime(canvas, minutes, now) {
  const place = prepare(canvas);
  if (!place) return;
  const { context, width, height } = place;
  const last = Math.floor(now / 60000);
  const high = Math.max(1, ...minutes.map((minute) => (minute.up + minute.down) / 1e6)) * 1.05;
  const y = grid(place, 0, high, "s");
  const slot = (width - left) / 60;
  for (const minute of minutes) {
    const index = 59 - (last - minute.minute);
    if (index < 0) continue;
    const x = left + index * slot + 1;
    const bar = Math.max(1, slot - 2);
    const up = y(0) - y(minute.up / 1e6);
    const down = y(0) - y(minute.down / 1e6);
    context.fillStyle = style("--accent");
    context.fillRect(x, y(0) - up, bar, up);
    context.fillStyle = style("--down");
    context.fillRect(x, y(0) - up - down, bar, down);
  }
  context.textAlign = "left";
}
