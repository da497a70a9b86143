// The LED page: ties the SMQ client, the model and the view together (SMQ LED demo contract).

import { DeviceModel, ECHO_TIMEOUT, SETTLE_TIME } from "./model.js";
import { SMQClient } from "./smq.js";
import { View } from "./view.js";

const DEVICE = "/m2m/led/device", DISPLAY = "/m2m/led/display", TEMPERATURE = "/m2m/temp";

const smq = new SMQClient({ info: "DeviceSDK page" });
const model = new DeviceModel();
const view = new View(model, { press, choose, retry: () => smq.connect() });
const now = () => performance.now();
let userChose = false, settled = true, drawing = false, settleTimer = 0, refillTimer = 0;

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
  if (model.hidden.size > 0 && !refillTimer) {
    // There is room again for devices that did not fit the list: ask once for all that go together.
    refillTimer = setTimeout(() => {
      refillTimer = 0;
      model.hidden.clear();
      smq.publish("Hello", DISPLAY);
    }, 1000);
  }
  if (!userChose) model.selectPresent();
  changed();
}

/** Runs a model function for a message; it counts what it does not understand. */
const through = (work) => (message) => {
  work(message);
  changed();
};

smq.subscribe(DEVICE, announced, { subtopic: "devinfo" });
smq.subscribe(SMQClient.SELF, announced, { subtopic: "devinfo" });
smq.subscribe(DEVICE, through((message) => model.echo(message.from, message.data)), { subtopic: "led" });
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
    smq.publish("Hello", DISPLAY);
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
