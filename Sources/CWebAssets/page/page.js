// The LED page: ties the SMQ client, the model and the view together (SMQ LED demo contract).

import { Greeter } from "./hello.js";
import { DeviceModel, ECHO_TIMEOUT, SETTLE_TIME } from "./model.js";
import { SMQClient } from "./smq.js";
import { View } from "./view.js";

const DEVICE = "/m2m/led/device", DISPLAY = "/m2m/led/display", TEMPERATURE = "/m2m/temp";

const smq = new SMQClient({ info: "DeviceSDK page" });
const model = new DeviceModel();
const view = new View(model, { press, choose, retry: () => smq.connect() });
const greeter = new Greeter(() => {
  // There is room again for devices that did not fit the list.
  if (refill) model.hidden.clear();
  refill = false;
  smq.publish("Hello", DISPLAY);
});
const now = () => performance.now();
let userChose = false, settled = true, drawing = false, settleTimer = 0, refill = false;

/** Shows what changed, once per frame. A hidden window gets no frames, but its title and tests still read it. */
function changed() {
  if (drawing) return;
  drawing = true;
  const draw = () => {
    drawing = false;
    view.render(now());
  };
  if (document.hidden) setTimeout(draw, 0);
  else requestAnimationFrame(draw);
}

function choose(key) {
  userChose = true;
  model.select(key);
  changed();
}

function press(device, id) {
  const command = model.press(device, id, now());
  if (!command) {
    view.toast(device.state === "away" ? `${device.name} is away.` : "The broker is not connected.", "warning");
    return;
  }
  if (smq.publish(command.data, command.etid)) {
    setTimeout(() => {
      for (const silent of model.expire(now())) view.toast(`${silent.name} did not answer.`, "warning");
      changed();
    }, ECHO_TIMEOUT + 20);
  } else {
    model.failed(device, id, "Could not be sent");
  }
  changed();
}

function announced(message) {
  const result = model.announce(message.from, message.text(), now());
  changed();
  if (!result) return;
  smq.observe(message.from, (count) => { if (count === 0) gone(message.from); });
  if (!userChose) model.selectPresent();
  // The devices that answer the first Hello are no news, one that comes later is.
  if (result.news === "back") view.toast(`${result.device.name} is back.`, "good");
  else if (result.news === "new" && settled) view.toast(`${result.device.name} appeared.`, "good");
}

function gone(etid) {
  const device = model.gone(etid, now());
  if (device) view.toast(`${device.name} went away.`, "warning");
  refill ||= model.hidden.size > 0;
  greeter.gone();
  if (!userChose) model.selectPresent();
  changed();
}

function echoed(message) {
  // It can only be here for longer than the page knows: what it said when it came was missed.
  if (!model.echo(message.from, message.data) && model.misses(message.from)) greeter.stranger();
  changed();
}

/** Runs a model function for a message; it counts what it does not understand. */
const through = (work) => (message) => {
  work(message);
  changed();
};

smq.subscribe(DEVICE, announced, { subtopic: "devinfo" });
smq.subscribe(SMQClient.SELF, announced, { subtopic: "devinfo" });
smq.subscribe(DEVICE, echoed, { subtopic: "led" });
smq.subscribe(TEMPERATURE, through((message) => model.temperature(message.from, message.data, now())));
const stray = through(() => { model.ignored += 1; });
smq.subscribe(DEVICE, stray);
smq.subscribe(SMQClient.SELF, stray);

smq.addEventListener("ping", (event) => {
  view.link.rtt = event.detail.rtt;
  changed();
});
smq.addEventListener("state", (event) => {
  const lost = smq.stats.connects > 0 && event.detail.state !== "connected";
  Object.assign(view.link, event.detail, { lost });
  if (event.detail.state === "connected") {
    greeter.connected();
    settled = false;
    settleTimer = setTimeout(() => {
      settled = true;
      for (const device of model.settle(now())) view.toast(`${device.name} did not come back.`, "warning");
      if (!userChose) model.selectPresent();
      changed();
    }, SETTLE_TIME);
  } else {
    clearTimeout(settleTimer);
    view.link.rtt = null;
    greeter.lost();
    model.brokerLost();
  }
  changed();
});

// Within another page, such as the cluster demo's, which says where this is.
document.documentElement.classList.toggle("framed", window.top !== window);
view.link.node = smq.node;
smq.connect();
changed();

// The sparkline moves with time, and old memories fade.
setInterval(() => {
  model.tidy(now());
  if (!document.hidden) changed();
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) smq.check();
  changed();
});
addEventListener("online", () => smq.check());
addEventListener("pagehide", () => smq.close());
addEventListener("pageshow", (event) => { if (event.persisted) smq.connect(); });
