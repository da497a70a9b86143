"""The panel of apps of LEDDemo: real Chromium, real scripts on a simulated board."""

import re

import pytest

from programs import Program, binary, free_port, until

WIDE, PHONE = (1280, 800), (390, 844)

BLINK = """-- blinks
pin = esp32.gpio(4, "OUT")
local on = false
timer = ba.timer(function() on = not on pin:value(on) return true end)
timer:set(100)
trace("blink runs")
"""

READ = """
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const shown = (e) => e && e.checkVisibility() ? e.textContent : '';
return {
  apps: Object.fromEntries(all('.app').map((e) => [e.dataset.app, {state: e.dataset.state, words: shown(e.querySelector('.state')),
    memory: shown(e.querySelector('.memory')), failure: shown(e.querySelector('.failure')),
    files: all('.files button', e).map((b) => b.textContent),
    buttons: all('.buttons button', e).filter((b) => b.checkVisibility()).map((b) => [b.dataset.command, !b.disabled])}])),
  banner: shown(document.getElementById('banner')),
  unlocked: document.getElementById('unlocked').checkVisibility(),
  trace: all('#trace li').map((e) => e.lastChild.textContent),
  lines: all('#lines li').map((e) => e.textContent),
  editor: document.getElementById('editor').checkVisibility() ? document.getElementById('text').value : null,
  problem: shown(document.getElementById('problem')),
  marked: all('#numbers b').map((e) => Number(e.textContent)),
  saved: shown(document.getElementById('saved')),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
};
"""


class Demo:
    def __init__(self, folder, *arguments):
        self.port = free_port()
        self.program = Program(
            binary("LEDDemo"), "--board", "sim", "--apps", str(folder), "--listen", f"127.0.0.1:{self.port}", *arguments)
        self.token = until(lambda: self.find(r"Token for changes to apps: (\w+)"), 30, "the token")
        self.url = f"http://127.0.0.1:{self.port}/apps"

    def find(self, pattern):
        for line in list(self.program.lines):
            found = re.search(pattern, line if isinstance(line, str) else str(line))
            if found:
                return found.group(1)
        return None

    def stop(self):
        self.program.stop()


@pytest.fixture
def demo(tmp_path):
    (tmp_path / "blink.xlua").write_text(BLINK)
    demo = Demo(tmp_path)
    demo.folder = tmp_path
    yield demo
    demo.stop()


def read(page):
    return page.front().execute_script(READ)


def wait(page, condition, what):
    last = {}

    def check():
        last.clear()
        last.update(read(page))
        return condition(last)
    try:
        until(check, 15)
    except AssertionError:
        raise AssertionError(f"The page did not get to {what}; it shows {last}") from None
    return last


def unlock(page, token):
    page.front().find_element("id", "token").send_keys(token + "\n")


def click(page, selector):
    page.front().find_element("css selector", selector).click()


def test_shows_an_app_and_needs_the_token_to_change_it(demo, window):
    page = window(demo.url)
    state = wait(page, lambda s: s["apps"].get("blink", {}).get("state") == "running" and s["lines"], "a running app")
    assert state["apps"]["blink"]["buttons"] == [["restart", False], ["stop", False]]
    assert "blink runs" in state["trace"]
    assert state["lines"] == ["GPIO4blink"]
    assert state["overflow"] <= 0
    unlock(page, "0" * 32)
    wait(page, lambda s: "token" in s["banner"] and not s["unlocked"], "a refusal of a wrong token")
    unlock(page, demo.token)
    wait(page, lambda s: s["unlocked"] and all(may for _, may in s["apps"]["blink"]["buttons"]), "the right to change")
    click(page, "[data-command=stop]")
    wait(page, lambda s: s["apps"]["blink"]["state"] == "stopped" and not s["lines"], "a stopped app")
    click(page, "[data-command=start]")
    wait(page, lambda s: s["apps"]["blink"]["state"] == "running" and s["lines"], "an app that runs again")


def test_edits_a_script_and_shows_where_it_fails(demo, window):
    page = window(demo.url)
    wait(page, lambda s: "blink" in s["apps"], "the app")
    unlock(page, demo.token)
    wait(page, lambda s: s["unlocked"], "the right to change")
    click(page, ".files button")
    wait(page, lambda s: s["editor"] == BLINK, "the script's text")
    driver = page.front()

    def write(text):
        driver.execute_script(
            "const t = document.getElementById('text'); t.value = arguments[0]; t.dispatchEvent(new Event('input'));", text)
        click(page, "#save")
    write('trace("edited")\ntrace(nothing.at_all)\n')
    state = wait(page, lambda s: s["marked"] == [2] and s["apps"]["blink"]["failure"], "the line that fails")
    assert "edited" in state["trace"]
    assert (demo.folder / "blink.xlua").read_text().startswith('trace("edited")')
    write(BLINK + 'trace("mended")\n')
    wait(page, lambda s: "mended" in s["trace"] and s["lines"], "the mended script")


def test_nobody_without_the_token_reads_or_changes(demo):
    import urllib.error
    import urllib.request

    def status(path, method="GET", token=None, origin=None):
        headers = {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if origin:
            headers["Origin"] = origin
        request = urllib.request.Request(
            f"http://127.0.0.1:{demo.port}{path}", method=method, headers=headers,
            data=b"" if method == "POST" else None)
        try:
            return urllib.request.urlopen(request, timeout=20).status
        except urllib.error.HTTPError as error:
            return error.code
    assert status("/apps/file?app=blink&file=blink.xlua") == 401
    assert status("/apps/file?app=blink&file=blink.xlua", token=demo.token) == 200
    assert status("/apps/file?app=blink&file=../../etc/passwd", token=demo.token) == 404
    assert status("/apps/save?app=blink&file=new.lua", "POST", demo.token) == 404
    assert status("/apps/command?app=blink&command=stop", "POST") == 401
    assert status("/apps/command?app=blink&command=dance", "POST", demo.token) == 400
    assert status("/apps/command?app=blink&command=stop", "POST", demo.token, "http://evil.example") == 403


def test_fits_a_phone(demo, window):
    page = window(demo.url, PHONE)
    state = wait(page, lambda s: "blink" in s["apps"] and s["trace"], "the app")
    assert state["overflow"] <= 0
