"""The cluster demo: its page in one window, with the pages of its nodes in frames."""

import json
import os
import urllib.request

from page import READ
from programs import Program, binary, free_port, until

DEMO = """
const all = (selector) => [...document.querySelectorAll(selector)];
const number = (id) => { const text = document.getElementById(id).textContent.replace(/\\D/g, ''); return text ? Number(text) : null; };
const shown = (element) => element.checkVisibility() ? element.textContent : '';
return {
  nodes: all('.node').map((e) => ({name: e.querySelector('h2').textContent, state: e.dataset.state, words: e.querySelector('.state').textContent,
    active: e.classList.contains('active'), veil: shown(e.querySelector('.veil')),
    buttons: [...e.querySelectorAll('button')].filter((b) => b.checkVisibility()).map((b) => b.textContent),
    here: Number(e.querySelector('.here').textContent.replace(/\\D/g, ''))})),
  sent: number('sent'), received: number('received'), lost: number('lost'), gap: number('gap'),
  where: document.getElementById('where').textContent, searching: document.getElementById('rail').dataset.state === 'searching',
  moves: all('#moves li').map((e) => e.textContent),
  ended: shown(document.getElementById('ended')),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
};
"""


class Demo:
    """`LEDDemo --cluster 2`, and a window with its page."""

    def __init__(self, *options):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.program = Program(binary("LEDDemo"), "--cluster", "2", "--listen", f"127.0.0.1:{self.port}", "--board", "sim",
                               "--json", *options)
        self.page = None

    def open(self, window, size=None):
        until(lambda: self.program.process.poll() is not None or any(e.get("event") == "connected" for e in self.program.events),
              30, f"the device's first session; the demo said {self.program.lines}")
        assert self.program.process.poll() is None, self.program.lines
        self.page = window(self.url, size) if size else window(self.url)
        self.until(lambda s: len(s["nodes"]) == 2 and s["received"] and any(n["active"] for n in s["nodes"]), "a device")
        return self

    def state(self):
        """What the server tells the page."""
        with urllib.request.urlopen(self.url + "state.json", timeout=5) as answer:
            return json.load(answer)

    def read(self):
        self.page.front().switch_to.default_content()
        return self.page.driver.execute_script(DEMO)

    def until(self, condition, what, timeout=20):
        last = {}

        def check():
            last.clear()
            last.update(self.read())
            return condition(last)
        try:
            until(check, timeout)
        except AssertionError:
            raise AssertionError(f"The demo did not get to {what}; it shows {last} and said {self.program.lines[-5:]}") from None
        return last

    def active(self):
        return next(i for i, node in enumerate(self.read()["nodes"]) if node["active"])

    def press(self, node, command):
        """Presses a node's button."""
        self.page.front().switch_to.default_content()
        self.page.driver.find_element("css selector", f'.node[data-node="{node}"] [data-command={command}]').click()

    def inside(self, node):
        """Goes into a node's frame."""
        driver = self.page.front()
        driver.switch_to.default_content()
        driver.switch_to.frame(driver.find_element("css selector", f'.node[data-node="{node}"] iframe'))
        return driver

    def read_node(self, node):
        return self.inside(node).execute_script(READ)

    def until_node(self, node, condition, what, timeout=20):
        """Waits for a state of the page in a node's pane."""
        last = {}

        def check():
            last.clear()
            last.update(self.read_node(node))
            return condition(last)
        try:
            until(check, timeout)
        except AssertionError:
            raise AssertionError(f"The pane of node {node} did not get to {what}; it shows {last}") from None
        return last

    def switch(self, node, led):
        """Presses a LED's switch on a node's page."""
        self.inside(node).find_element("css selector", f'#switches [data-led="{led}"]').click()

    def stop(self):
        self.program.stop()

    def processes(self):
        """The ids of the demo's children."""
        own = self.program.process.pid
        tasks = f"/proc/{own}/task"
        return [int(child) for task in os.listdir(tasks) for child in open(f"{tasks}/{task}/children").read().split()]
