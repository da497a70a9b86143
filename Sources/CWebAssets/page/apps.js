// The panel of apps: asks its server twice a second how they are, shows it, and sends what buttons ask for.

const byId = (id) => document.getElementById(id);
const PERIOD = 500, TRACE = 500;
const address = new URLSearchParams(location.search);
/** The token of the page's own address lets it read; the one that is typed lets it change things. */
const pageToken = address.get("token");
let token = sessionStorage.getItem("apps-token"), seen = 0, failures = 0, open = null, last = null;
const cards = new Map();

/** Sets a text only when it is another one, so that screen readers hear news only. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const grouped = (number) => number.toLocaleString("en");
/** A limit in little room: whole millions as such. */
const short = (number) => (number >= 1e6 && number % 1e5 === 0 ? `${grouped(number / 1e6)} M` : grouped(number));
const size = (bytes) => (bytes < 10240 ? `${grouped(bytes)} B` : bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1048576).toFixed(2)} MB`);

/** A request to this page's own server. */
function ask(path, items = {}, options = {}) {
  const query = new URLSearchParams(pageToken ? { ...items, token: pageToken } : items).toString();
  return fetch(query ? `${path}?${query}` : path, { cache: "no-store", ...options });
}

/** A request that changes something. Throws with the server's sentence. */
async function change(path, items, body = "") {
  const answer = await ask(path, items, { method: "POST", body, headers: { Authorization: `Bearer ${token}` } });
  const text = (await answer.text()).trim();
  if (answer.status === 401) setToken(null);
  if (!answer.ok) throw new Error(answer.status === 401 ? "This token is not the one that the program printed at its start." : text);
  return text;
}

function setToken(value) {
  token = value;
  if (value) sessionStorage.setItem("apps-token", value); else sessionStorage.removeItem("apps-token");
  showRights();
}

function showRights() {
  const may = last?.canChange ?? false, has = may && token !== null;
  byId("unlock").hidden = !may || token !== null;
  byId("unlocked").hidden = !has;
  byId("save").disabled = byId("revert").disabled = !has || !isDirty();
  byId("text").readOnly = !has;
  for (const button of document.querySelectorAll(".app .buttons button")) {
    button.disabled = !has;
    button.title = has ? "" : may ? "Unlock changes with the token first" : "Changes are off on this address";
  }
}

function banner(title, words) {
  byId("banner").hidden = !title;
  say(byId("banner-title"), title ? `${title} ` : "");
  say(byId("banner-words"), words ?? "");
}

// Cards

const STATES = { running: "Running", stopped: "Stopped", "backing-off": "Waits before it starts again", "safe-mode": "Safe mode: it failed at its start again and again; save a file to try again" };

function makeCard(name) {
  const card = byId("app").content.firstElementChild.cloneNode(true);
  card.dataset.app = name;
  card.querySelector("h2").textContent = name;
  card.querySelector(".buttons").setAttribute("aria-label", name);
  for (const button of card.querySelectorAll(".buttons button")) {
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await change("apps/command", { app: name, command: button.dataset.command });
        banner("");
      } catch (error) { banner("Not done.", error.message); }
      await poll();
    });
  }
  cards.set(name, card);
  byId("apps").append(card);
  return card;
}

function meter(card, name, value, limit, text) {
  say(card.querySelector(`.${name}`), text);
  const bar = card.querySelector(`.${name}-bar`);
  bar.max = limit || 1;
  bar.low = limit * 0.8;
  bar.high = limit * 0.95;
  bar.optimum = 0;
  bar.value = Math.min(value, limit);
}

/** Fills a list of names and values; elements that are there stay, so that a selection in them does too. */
function rows(list, pairs) {
  while (list.children.length > pairs.length) list.lastChild.remove();
  pairs.forEach(([name, value], index) => {
    let row = list.children[index];
    if (!row) {
      row = list.appendChild(document.createElement("div"));
      row.append(document.createElement("dt"), document.createElement("dd"));
    }
    say(row.firstChild, name);
    say(row.lastChild, value);
  });
}

function showApp(app) {
  const card = cards.get(app.name) ?? makeCard(app.name);
  card.dataset.state = app.state;
  say(card.querySelector(".state"), app.reason ? `${STATES[app.state] ?? app.state}: ${app.reason}` : STATES[app.state] ?? app.state);
  meter(card, "memory", app.memory, app.memoryLimit, `${size(app.memory)} of ${size(app.memoryLimit)}`);
  meter(card, "budget", app.instructions, app.instructionLimit, `${app.instructions < 1000 ? "under 1,000" : grouped(app.instructions)} of ${short(app.instructionLimit)}`);
  say(card.querySelector(".runs"), grouped(app.runs));
  say(card.querySelector(".errors"), `${grouped(app.errors)}${app.kills ? `, ${grouped(app.kills)} over budget` : ""}`);
  card.querySelector(".errors").classList.toggle("some", app.errors + app.kills > 0);
  const failure = card.querySelector(".failure");
  failure.hidden = !app.lastError;
  say(failure, app.lastError ?? "");
  rows(card.querySelector(".limits"), app.limits.map(({ name, limit, used }) => [name, used === null ? limit : `${grouped(used)} of ${limit}`]));
  rows(card.querySelector(".permissions"), app.permissions.map(({ name, grant }) => [name, grant]));
  const isUp = app.state === "running";
  card.querySelector("[data-command=start]").hidden = isUp;
  card.querySelector("[data-command=stop]").hidden = !isUp && app.state !== "backing-off";
  card.querySelector("[data-command=restart]").hidden = !isUp;
  const files = card.querySelector(".files"), names = app.files.join("\n");
  if (files.dataset.names !== names) {
    files.dataset.names = names;
    files.replaceChildren(...app.files.map((file) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = file;
      button.addEventListener("click", () => load(app.name, file));
      return button;
    }));
  }
  for (const button of files.children) button.setAttribute("aria-pressed", open?.app === app.name && open.file === button.textContent);
}

// Editor

const isDirty = () => open !== null && byId("text").value !== open.text;

async function load(app, file) {
  if (isDirty() && !confirm(`Leave ${open.file} without saving?`)) return;
  if (token === null) return banner("Unlock first.", "A script's text is shown to who has the token for changes, which the program printed at its start.");
  const answer = await ask("apps/file", { app, file }, { headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) return banner("Cannot open it.", (await answer.text()).trim());
  open = { app, file, text: await answer.text() };
  byId("editor").hidden = false;
  byId("text").value = open.text;
  byId("text").scrollTop = 0;
  say(byId("work-title"), `${app} / ${file}`);
  say(byId("saved"), "");
  showProblem();
  if (last) for (const each of last.apps) showApp(each);
  showRights();
}

async function save() {
  if (!isDirty() || token === null) return;
  const text = byId("text").value;
  try {
    say(byId("saved"), await change("apps/save", { app: open.app, file: open.file }, text));
    open.text = text;
    banner("");
  } catch (error) { banner("Not saved.", error.message); }
  showRights();
}

/** The line of the open file that its app's last error names. */
function problemLine() {
  const app = last?.apps.find((each) => each.name === open?.app);
  const match = app?.lastError && /([^\s/:]+\.(?:xlua|preload|lua)|\.preload):(\d+):/.exec(app.lastError);
  return match && open.file.endsWith(match[1]) ? { line: Number(match[2]), text: app.lastError.split("\n")[0] } : null;
}

function showProblem() {
  if (!open) return;
  const problem = problemLine(), count = byId("text").value.split("\n").length;
  byId("problem").hidden = !problem;
  say(byId("problem"), problem?.text ?? "");
  const shown = `${count}/${problem?.line ?? 0}`, numbers = byId("numbers");
  if (numbers.dataset.shown === shown) return;
  numbers.dataset.shown = shown;
  numbers.replaceChildren(...Array.from({ length: count }, (_, index) => {
    const isBad = index + 1 === problem?.line, row = document.createElement(isBad ? "b" : "span");
    row.textContent = isBad ? String(index + 1) : `${index + 1}\n`;
    return row;
  }));
}

byId("text").addEventListener("input", () => {
  showProblem();
  say(byId("saved"), isDirty() ? "Not saved" : "");
  showRights();
});
byId("text").addEventListener("scroll", () => { byId("numbers").scrollTop = byId("text").scrollTop; });
byId("text").addEventListener("keydown", (event) => {
  if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    save();
  } else if (event.key === "Tab" && !event.shiftKey && !byId("text").readOnly && !event.ctrlKey) {
    event.preventDefault();
    document.execCommand("insertText", false, "   ");
  } else if (event.key === "Escape") {
    byId("save").focus();   // the way out for who uses the keyboard alone
  }
});
byId("save").addEventListener("click", save);
byId("revert").addEventListener("click", () => {
  byId("text").value = open.text;
  byId("text").dispatchEvent(new Event("input"));
});
addEventListener("beforeunload", (event) => { if (isDirty()) event.preventDefault(); });

// Rights

byId("unlock").addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = byId("token").value.trim();
  if (!given) return;
  byId("token").value = "";
  setToken(given);
  try {
    await change("apps/command", { command: "check" });
    banner("");
  } catch (error) {
    setToken(null);
    banner("Still locked.", error.message);
  }
});
byId("lock").addEventListener("click", () => setToken(null));

// State and trace

function showTrace(lines) {
  const list = byId("trace");
  for (const line of lines) {
    const item = document.createElement("li"), app = document.createElement("b"), text = document.createElement("span");
    app.textContent = line.app;
    text.textContent = line.text;
    item.classList.toggle("error", line.isError);
    item.append(app, text);
    list.append(item);
    seen = line.number;
  }
  while (list.children.length > TRACE) list.firstChild.remove();
  if (lines.length > 0 && byId("follow").checked) list.scrollTop = list.scrollHeight;
}

function showLines(lines) {
  byId("lines-box").hidden = lines.length === 0;
  const list = byId("lines");
  while (list.children.length > lines.length) list.lastChild.remove();
  lines.forEach((line, index) => {
    const item = list.children[index] ?? list.appendChild(document.createElement("li"));
    item.classList.toggle("high", line.isHigh === true);
    // PWM and buses have no level of their own.
    item.classList.toggle("other", line.isHigh === null);
    const text = `${line.name} ${line.user}`;
    if (item.dataset.text === text) return;
    item.dataset.text = text;
    const user = document.createElement("span");
    user.textContent = line.user;
    item.replaceChildren(line.name, user);
  });
}

async function poll() {
  try {
    const answer = await ask("apps/state", { after: seen });
    if (answer.status === 401) return banner("This page needs the token of its address.", "Open the address that the program printed.");
    last = await answer.json();
    if (failures > 0) banner("");
    failures = 0;
    // A number below ours: the program has been started anew.
    if (last.newest < seen) {
      seen = 0;
      byId("trace").replaceChildren();
    }
    for (const app of last.apps) showApp(app);
    for (const [name, card] of cards) {
      if (last.apps.some((app) => app.name === name)) continue;
      card.remove();
      cards.delete(name);
    }
    byId("none").hidden = last.apps.length > 0;
    say(byId("count"), String(last.apps.length));
    showTrace(last.trace);
    showLines(last.lines);
    showProblem();
    showRights();
  } catch {
    if (++failures === 3) banner("The program does not answer.", "It may have ended. This page goes on asking.");
  }
}

if (pageToken) byId("home").href = `./?token=${encodeURIComponent(pageToken)}`;
for (;;) {
  await poll();
  await new Promise((resolve) => setTimeout(resolve, PERIOD));
}
