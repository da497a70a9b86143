"""One window with the LED page: what a user sees and does there."""

import os
import pathlib

from programs import until

READ = """
const all = (selector) => [...document.querySelectorAll(selector)];
const shown = (id) => { const e = document.getElementById(id); return e && e.checkVisibility() ? e.textContent : ''; };
return {
  link: document.getElementById('link').dataset.state,
  banner: shown('banner'),
  empty: shown('empty'),
  devices: all('#device-list li').map((e) => ({address: e.querySelector('.address').textContent,
    name: e.querySelector('.name').textContent, state: e.dataset.state, selected: e.ariaSelected === 'true'})),
  note: shown('list-note'),
  device: document.getElementById('device').checkVisibility() ? document.getElementById('device').dataset.state : null,
  name: document.getElementById('name').textContent,
  presence: shown('presence'),
  leds: Object.fromEntries(all('#switches [role=switch]').map((e) => [e.dataset.led, e.ariaChecked === 'true'])),
  pending: all('#switches .pending').map((e) => Number(e.dataset.led)),
  problems: all('#switches .problem').map((e) => e.textContent),
  header: document.getElementById('board').checkVisibility()
    ? all('#drawing .has-led.on .number').map((e) => Number(e.textContent)) : null,
  temperature: shown('temperature-value'),
  toasts: all('.toast').map((e) => e.textContent),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
};
"""


class Page:
    def __init__(self, driver, handle):
        self.driver, self.handle = driver, handle

    def front(self):
        self.driver.switch_to.window(self.handle)
        return self.driver

    def read(self):
        return self.front().execute_script(READ)

    def until(self, condition, timeout=8, what=None):
        """Waits until `condition(state)` is true; says what the page showed when it was not."""
        last = {}

        def check():
            last.clear()
            last.update(self.read())
            return condition(last)
        try:
            until(check, timeout)
        except AssertionError:
            raise AssertionError(f"The page did not get to {what or 'the expected state'}; it shows {last}") from None
        return last

    def until_here(self, name=None):
        return self.until(lambda s: s["link"] == "connected" and s["device"] == "here" and s["leds"]
                          and (name is None or s["name"] == name), 12, "a device that is here")

    def press(self, led):
        self.front().find_element("css selector", f'#switches [data-led="{led}"]').click()

    def until_led(self, led, on):
        return self.until(lambda s: s["leds"].get(str(led)) is on, what=f"LED {led} {'on' if on else 'off'}")

    def choose(self, name):
        self.front().execute_script(
            "[...document.querySelectorAll('#device-list li')].find((e) => e.textContent.includes(arguments[0])).click()",
            name)
        self.until(lambda s: name in s["name"], what=f"{name} chosen")

    def size(self, width, height, touch=False):
        """The inside of the window; a window itself does not get as narrow as a phone."""
        self.front().execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 2 if touch else 1, "mobile": touch})
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})

    def media(self, **features):
        self.front().execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]})

    def screenshot(self, name):
        folder = os.environ.get("DEVICESDK_SCREENSHOTS")
        if not folder:
            return
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        # Two frames and the transitions, so that the picture shows where things end, not how they get there.
        self.front().execute_async_script("const done = arguments[0]; setTimeout(() => requestAnimationFrame(done), 400)")
        self.driver.save_screenshot(str(pathlib.Path(folder) / f"{name}.png"))
