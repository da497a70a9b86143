"""LEDDemo on GPIO chips of a real kernel. Runs inside the guest: script/test-kernel-gpio starts it.

    led_demo.py LEDDEMO [--denied]
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "Browser"))
from smq import RawClient  # noqa: E402

demo = sys.argv[1]


def gpiosim(*arguments):
    return subprocess.run(["gpiosim", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def check(what, condition):
    if not condition:
        sys.exit(f"FAILED  {what}")
    print(f"ok      {what}")


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Device:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([demo, "--json", *arguments], stdout=subprocess.PIPE, text=True)
        self.events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def wait_for(self, name, seconds=30):
        end = time.monotonic() + seconds
        while True:
            event = self.events.get(timeout=max(0.1, end - time.monotonic()))
            if event["event"] == name:
                return event


if "--denied" in sys.argv:
    refused = subprocess.run([demo, "--for", "1s"], capture_output=True, text=True)
    check("no permission: exit status 77", refused.returncode == 77)
    check("no permission: the group gpio is named", "group gpio" in refused.stderr)
    sys.exit(0)

device = Device("--listen", "127.0.0.1:8080", "--button", "line=GPIO24,led=2", "--on-exit", "leave")
check("the board is the kernel's, not a simulated one", device.wait_for("started")["simulated"] is False)
device.wait_for("connected")
page = RawClient(8080, "page")
answers = queue.Queue()
page.on_publish = lambda _, publisher, payload: answers.put((publisher, payload))
page.publish("/m2m/led/display", b"Hello")
publisher, payload = answers.get(timeout=10)
check("the page learns pin and line", json.loads(payload)["leds"][0]["line"] == "GPIO17")
check("the kernel's line is low", gpiosim("value", "GPIO17") == "0")
page.publish(publisher, b"\x01\x01")
check("a page's command raises the kernel's line", until(lambda: gpiosim("value", "GPIO17") == "1"))
check("and is an event", device.wait_for("led")["source"] == "page")
gpiosim("press", "GPIO24", "120")
check("a press made in the kernel switches LED 2", device.wait_for("led")["id"] == 2)
check("the kernel's line of LED 2 is high", gpiosim("value", "GPIO27") == "1")

second = subprocess.run([demo, "--for", "1s"], capture_output=True, text=True)
check("a busy line: exit status 69", second.returncode == 69)
check("a busy line names its owner", '"LEDDemo Red"' in second.stderr)
device.process.terminate()
check("SIGTERM ends it with status 0", device.process.wait(timeout=10) == 0)
