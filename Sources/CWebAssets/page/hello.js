// When the page says Hello, to which devices answer with their description.
//
// Once is not enough where brokers are linked: the Hello of a page whose broker has no link just then reaches only the
// devices of that broker, and a device that goes with the link never knows that it went and says nothing when the link
// is back. So it is said again some times, each time longer after, and then no more.

/** So long after a session began, or a device went away, Hello is said again. */
export const REPEATS = [1000, 2500, 8000, 20000];
/** Whatever happens, no sooner than this after the Hello before. */
export const SPACING = 1000;
/** A device that is heard but not known gives cause for one, no sooner than this after the one before. */
export const STRANGER_SPACING = 5000;

export class Greeter {
  #say; #clock; #connected = false; #last = -Infinity; #due = []; #timer = null;

  /**
   * @param {() => void} say
   * @param {{now: () => number, setTimeout: Function, clearTimeout: Function}} [clock] for tests
   */
  constructor(say, clock) {
    this.#say = say;
    this.#clock = clock ?? {
      now: () => performance.now(),
      setTimeout: (work, delay) => globalThis.setTimeout(work, delay),
      clearTimeout: (timer) => globalThis.clearTimeout(timer),
    };
  }

  /** The session has begun: Hello now, and again. */
  connected() {
    this.lost();
    this.#connected = true;
    this.#hello();
    this.#again();
  }

  /** The session has ended: nothing until the next. */
  lost() {
    this.#connected = false;
    this.#due = [];
    this.#schedule();
  }

  /** A device went away, perhaps only with the link to its broker. */
  gone() {
    if (this.#connected) this.#again();
  }

  /** A device was heard of which the page knows nothing. */
  stranger() {
    if (this.#connected) this.#add(Math.max(this.#clock.now(), this.#last + STRANGER_SPACING));
  }

  #again() {
    for (const delay of REPEATS) this.#add(this.#clock.now() + delay);
  }

  /** Many devices that go at once, or one after another, share what is said. */
  #add(at) {
    if (this.#due.some((due) => due >= at && due < at + SPACING)) return;
    this.#due.push(Math.max(at, this.#last + SPACING));
    this.#due.sort((a, b) => a - b);
    this.#schedule();
  }

  #schedule() {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#due.length === 0) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      this.#hello();
      this.#schedule();
    }, Math.max(0, this.#due[0] - this.#clock.now()));
  }

  #hello() {
    const now = this.#clock.now();
    this.#last = now;
    // What was due a moment later is said by this one; the last one is kept, so that the end is not cut short.
    this.#due = this.#due.filter((due) => due > now).map((due) => Math.max(due, now + SPACING));
    this.#due = this.#due.filter((due, index) => index === 0 || due > this.#due[index - 1]);
    this.#say();
  }
}
