// The course of messages as bars, one for a quarter of a second, in the colours of the nodes that brought them.

/** Steps of a minute. */
export const STEPS = 240;
const STEP = 250;

/**
 * Draws the last minute; the newest step is at the right.
 * @param {HTMLCanvasElement} canvas
 * @param {number[][]} course messages of each step by node, oldest first
 * @param {{age: number}[]} moves when the device moved, in milliseconds before now
 */
export function drawCourse(canvas, course, moves) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (width === 0) return;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const style = getComputedStyle(canvas), colour = (name) => style.getPropertyValue(name).trim();
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = colour("--line");
  pen.fillRect(0, height - 1, width, 1);
  const pitch = width / STEPS, bar = Math.max(1, pitch - (pitch > 3 ? 1 : 0.4));
  // What waited comes in one step; it must not flatten all others.
  const sums = course.map((step) => step.reduce((sum, count) => sum + count, 0));
  const usual = sums.filter((sum) => sum > 0).sort((a, b) => a - b);
  const top = Math.max(4, (usual[Math.floor(usual.length / 2)] ?? 0) * 1.8);
  const first = STEPS - course.length;
  course.forEach((step, index) => {
    let below = 0;
    step.forEach((count, node) => {
      if (count === 0) return;
      const from = Math.min(1, below / top) * (height - 4), to = Math.min(1, (below + count) / top) * (height - 4);
      below += count;
      pen.fillStyle = colour(`--node-${node}`);
      pen.fillRect((first + index) * pitch, height - 1 - to, bar, Math.max(1, to - from));
    });
  });
  pen.fillStyle = colour("--text");
  for (const move of moves) {
    const x = width - move.age / STEP * pitch;
    if (x < 4) continue;
    pen.beginPath();
    pen.moveTo(x - 4, 0);
    pen.lineTo(x + 4, 0);
    pen.lineTo(x, 6);
    pen.fill();
    pen.fillRect(x - 0.5, 0, 1, height);
  }
}
