// What an SMQ connection knows about names, and the messages that wait until it knows enough.

/** Names and numbers of one kind (topics or sub-topics), as one connection knows them. */
export class Book {
  #ids = new Map(); #names = new Map(); #asked = new Set();
  id(name) { return this.#ids.get(name); }
  name(id) { return this.#names.get(id); }
  /** Notes a request. @returns {boolean} whether it has to be sent: nobody asked before */
  asked(name) {
    if (this.#asked.has(name)) return false;
    this.#asked.add(name);
    return true;
  }
  learn(name, id) {
    if (!this.#asked.has(name)) return; // never asked for: it must not take memory or redirect a topic
    this.#ids.set(name, id);
    this.#names.set(id, name);
  }
  refuse(name) { this.#asked.delete(name); }
  clear() {
    this.#ids.clear();
    this.#names.clear();
    this.#asked.clear();
  }
}

/** Messages {topic, subtopic, data, at} that wait for a connection or a number. */
export class Queue {
  #entries = [];
  get length() { return this.#entries.length; }
  has(topic) { return this.#entries.some((entry) => entry.topic === topic); }
  push(entry) { this.#entries.push(entry); }
  forEach(work) { this.#entries.forEach(work); }
  /** Removes what `matches`. @returns {number} how many */
  drop(matches) {
    const before = this.#entries.length;
    this.#entries = this.#entries.filter((entry) => !matches(entry));
    return before - this.#entries.length;
  }
  /** Gives each entry to `send`; one that it refuses holds back later ones of its topic, so that order is kept. */
  flush(send) {
    const blocked = new Set();
    this.#entries = this.#entries.filter((entry) => {
      if (!blocked.has(entry.topic) && send(entry)) return false;
      blocked.add(entry.topic);
      return true;
    });
  }
}
