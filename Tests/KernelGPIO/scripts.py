"""Lua scripts of LEDDemo on GPIO chips of a real kernel. Runs inside the guest: script/test-kernel-gpio starts it.

    scripts.py LEDDEMO
"""

import os
import subprocess
import sys
import tempfile
import time

demo = sys.argv[1]
examples = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Examples", "lua")


def gpiosim(*arguments):
    return subprocess.run(["gpiosim", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def check(what, condition):
    if not condition:
        sys.exit(f"FAILED  {what}")
    print(f"ok      {what}")


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def level(line, value):
    return until(lambda: gpiosim("value", line) == value)


output = tempfile.TemporaryFile("w+")
device = subprocess.Popen(
    [demo, "--listen", "127.0.0.1:8080", "--script", os.path.join(examples, "blink.xlua"),
     "--script", os.path.join(examples, "button.xlua")],
    stdout=output, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)


def printed(text):
    output.seek(0)
    return text in output.read()


try:
    check("blink.xlua: the kernel's line goes up", level("GPIO4", "1"))
    check("blink.xlua: and down", level("GPIO4", "0"))
    check("blink.xlua: and up again", level("GPIO4", "1"))
    # A pull-up of the script's keeps the line high until a press.
    check("button.xlua: its pull-up holds", level("GPIO24", "1"))
    gpiosim("press", "GPIO24", "120")
    check("button.xlua: a press made in the kernel lights the LED", level("GPIO16", "1"))
    time.sleep(0.2)
    gpiosim("press", "GPIO24", "120")
    check("button.xlua: another one puts it out", level("GPIO16", "0"))
    check("the trace tells", until(lambda: printed("button: pressed: the LED is off")))
    busy = subprocess.run([demo, "--for", "1s", "--led", "name=A,color=red,line=GPIO16"], capture_output=True, text=True)
    check("the line is the script's: another program is refused", busy.returncode == 69)
    check("and told whose it is", '"button gpio"' in busy.stderr)
    device.terminate()
    check("SIGTERM ends it with status 0", device.wait(timeout=20) == 0)
    check("no script failed", not printed("traceback"))
    held = subprocess.run(
        [demo, "--listen", "127.0.0.1:8080", "--for", "2s", "--script", os.path.join(examples, "blink.xlua"),
         "--app-permit", "app=blink,pins=5+6"], capture_output=True, text=True)
    check("a pin that settings do not permit is refused", "app blink has no permission for pins: 4" in held.stdout)
    check("and the kernel's line was not touched", gpiosim("value", "GPIO4") == "0")
finally:
    if device.poll() is None:
        device.kill()
    output.seek(0)
    sys.stderr.write(output.read())
