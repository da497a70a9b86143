"""The demo of a cluster as a visitor uses it: real supervisor, real brokers, real device, one window."""

import os
import time
import urllib.error
import urllib.request

import pytest
from selenium.webdriver.common.keys import Keys

from conftest import PHONE
from demo import Demo
from programs import until


@pytest.fixture
def demo(window):
    demo = Demo()
    try:
        yield demo.open(window)
    finally:
        demo.stop()


def is_there(process):
    """Whether a process lives; one that has ended and waits to be collected does not."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def until_moved(demo, to, moves):
    return demo.until(lambda s: s["nodes"][to]["active"] and len(s["moves"]) >= moves, f"move {moves}, to node {to}")


def until_nothing_is_missing(demo):
    """Messages go on, and each that was sent before now has come."""
    sent = demo.state()["messages"]["sent"]
    state = demo.until(lambda s: s["received"] >= sent, f"{sent} messages received", 30)
    assert state["lost"] == 0
    return state


def test_the_device_moves_from_a_stopped_node_and_nothing_is_lost(demo):
    first = demo.active()
    other = 1 - first
    demo.page.screenshot("demo-wide")
    demo.press(first, "stop")
    state = until_moved(demo, other, 1)
    assert state["nodes"][first]["state"] == "stopped"
    assert state["nodes"][first]["buttons"] == ["Start"]
    assert "Stopped" in state["nodes"][first]["veil"]
    names = [node["name"] for node in state["nodes"]]
    assert state["moves"][0].startswith(f"{names[first]} → {names[other]}"), state["moves"]
    assert state["gap"] is not None and state["gap"] < 5000
    assert names[other] in state["where"]
    demo.page.screenshot("demo-stopped")
    # Switched in the other pane.
    demo.until_node(other, lambda s: s["link"] == "connected" and s["device"] == "here" and s["leds"], "a device that is here")
    demo.switch(other, 2)
    demo.until_node(other, lambda s: s["leds"]["2"] is True, "LED 2 lit")
    demo.press(first, "start")
    demo.until(lambda s: s["nodes"][first]["state"] == "running" and not s["nodes"][first]["veil"], "both nodes up")
    demo.until_node(first, lambda s: s["link"] == "connected", "the page of the node that came back")
    state = until_nothing_is_missing(demo)
    assert state["nodes"][other]["here"] > 0


def test_both_panes_agree_after_a_node_came_back(demo):
    here = lambda s: s["link"] == "connected" and s["device"] == "here" and s["leds"]  # noqa: E731
    for node in (0, 1):
        demo.until_node(node, here, "a device that is here")
    first = demo.active()
    other = 1 - first
    demo.press(first, "stop")
    until_moved(demo, other, 1)
    demo.until_node(other, here, "a device that is here")
    demo.switch(other, 3)
    demo.until_node(other, lambda s: s["leds"]["3"] is True, "LED 3 lit")
    demo.press(first, "start")
    demo.until_node(first, lambda s: here(s) and s["leds"]["3"] is True, "LED 3 lit on the node that came back")
    # And the other way round.
    demo.switch(first, 1)
    for node in (0, 1):
        demo.until_node(node, lambda s: s["leds"]["1"] is True and s["leds"]["3"] is True, "LEDs 1 and 3 lit")
    until_nothing_is_missing(demo)


def test_the_device_leaves_a_frozen_node_and_the_node_resumes(demo):
    first = demo.active()
    other = 1 - first
    demo.press(first, "freeze")
    state = until_moved(demo, other, 1)
    assert state["nodes"][first]["state"] == "frozen"
    assert state["nodes"][first]["buttons"] == ["Resume", "Stop"]
    assert "noticed after" in state["moves"][0]
    demo.page.screenshot("demo-frozen")
    demo.press(first, "resume")
    demo.until(lambda s: s["nodes"][first]["state"] == "running", "the node resumed")
    demo.until_node(first, lambda s: s["link"] == "connected", "its page connected again", 30)
    until_nothing_is_missing(demo)


def test_a_pane_has_the_device_back_after_its_node_was_frozen(demo):
    """The node without the device: the device never knows, and says nothing of itself."""
    here = lambda s: s["link"] == "connected" and s["device"] == "here" and s["leds"]  # noqa: E731
    for node in (0, 1):
        demo.until_node(node, here, "a device that is here")
    first = demo.active()
    other = 1 - first
    # A pane whose node stops being there soon after its page was loaded is loaded again, which is another thing.
    time.sleep(4)
    demo.press(other, "freeze")
    demo.until(lambda s: s["nodes"][other]["state"] == "frozen", "a frozen node")
    # The link ends after 1.5 s, the page's own connection not before 5 s.
    time.sleep(3)
    demo.switch(first, 2)
    demo.until_node(first, lambda s: s["leds"]["2"] is True, "LED 2 lit")
    demo.press(other, "resume")
    demo.until(lambda s: s["nodes"][other]["state"] == "running", "the node resumed")
    demo.until_node(other, lambda s: not here(s) or s["leds"]["2"] is True, "a pane that knows that it missed something")
    demo.until_node(other, lambda s: here(s) and s["leds"]["2"] is True, "the device with LED 2 lit", 40)
    assert len(demo.read_node(other)["devices"]) == 1, "shown once"
    # It can be switched there, and both panes follow.
    demo.switch(other, 3)
    for node in (0, 1):
        demo.until_node(node, lambda s: s["leds"]["2"] is True and s["leds"]["3"] is True, "LEDs 2 and 3 lit")
    assert demo.active() == first, "the device never moved"


def test_with_no_node_messages_wait_and_then_come(demo):
    for node in (0, 1):
        demo.press(node, "stop")
    state = demo.until(lambda s: s["searching"] and "No node is up" in s["where"], "no node")
    demo.until(lambda s: s["sent"] > state["sent"] + 20 and s["received"] < s["sent"] - 20, "messages that wait")
    demo.press(1, "start")
    demo.until(lambda s: s["nodes"][1]["active"], "the device at node B", 30)
    until_nothing_is_missing(demo)


def test_a_node_that_crashes_is_shown_with_its_exit_status(demo):
    node = 1 - demo.active()
    os.kill(demo.state()["nodes"][node]["process"], 11)
    state = demo.until(lambda s: s["nodes"][node]["state"] == "crashed", "a crash")
    assert "signal 11 (SIGSEGV)" in state["nodes"][node]["words"]
    assert state["nodes"][node]["buttons"] == ["Start"]
    demo.press(node, "start")
    demo.until(lambda s: s["nodes"][node]["state"] == "running", "the node up again")


def test_commands_need_the_pages_token_and_its_origin(demo):
    def post(path, **headers):
        request = urllib.request.Request(demo.url + path, method="POST", headers=headers)
        try:
            return urllib.request.urlopen(request, timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
    command = "node?node=0&command=stop"
    token = demo.page.front().execute_script("return document.querySelector('meta[name=demo-token]').content")
    own = {"Authorization": f"Bearer {token}"}
    assert post(command) == 401
    assert post(command, Authorization=f"Bearer {'0' * 32}") == 401
    assert post(command, **own, Origin="http://evil.example") == 403
    assert post(command, **own, Host="evil.example") == 403
    assert post("node?node=9&command=stop", **own) == 409
    assert post("node?node=0&command=explode", **own) == 400
    assert post("node?node=0&command=resume", **own) == 409
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(demo.url + command, timeout=5)
    assert all(node["state"] == "running" for node in demo.state()["nodes"])
    assert post(command, **own) == 200


def test_everything_by_keyboard(demo):
    driver = demo.page.front()
    for _ in range(12):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        if driver.switch_to.active_element.get_attribute("data-command"):
            break
    button = driver.switch_to.active_element
    assert button.get_attribute("aria-label") == "Freeze Node A"
    button.send_keys(Keys.ENTER)
    demo.until(lambda s: s["nodes"][0]["state"] == "frozen", "node A frozen")
    until(lambda: driver.switch_to.active_element.get_attribute("aria-label") == "Resume Node A", what="the focus on Resume")
    driver.switch_to.active_element.send_keys(Keys.SPACE)
    demo.until(lambda s: s["nodes"][0]["state"] == "running", "node A resumed")


def test_a_phone_and_the_dark(demo, window):
    for scheme in ("light", "dark"):
        demo.page.media(prefers_color_scheme=scheme)
        demo.page.size(*PHONE, touch=True)
        assert demo.until(lambda s: s["received"], "numbers")["overflow"] <= 0
        demo.page.screenshot(f"demo-phone-{scheme}")
        demo.page.size(1280, 800)
        assert demo.read()["overflow"] <= 0
        demo.page.screenshot(f"demo-wide-{scheme}")


def test_children_end_with_the_demo_however_it_ends(window, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for end in ("stop", "kill"):
        demo = Demo().open(window)
        children = demo.processes()
        assert len(children) == 3
        demo.press(0, "freeze")
        demo.until(lambda s: s["nodes"][0]["state"] == "frozen", "a frozen node")
        getattr(demo.program, end)()
        until(lambda: not any(is_there(child) for child in children), 10, f"the end of {children} after {end}")
        if end == "stop":
            assert list(tmp_path.iterdir()) == [], "what it kept on disk is gone"
        demo.until(lambda s: "has ended" in s["ended"], "the page saying so")
        # The page's console tells of each poll that failed.
        demo.page.front().get_log("browser")


def test_for_ends_it(window):
    demo = Demo("--for", "3s")
    begun = time.monotonic()
    assert demo.program.process.wait(30) == 0, demo.program.lines
    assert time.monotonic() - begun >= 2.5
    until(lambda: any(e.get("event") == "ended" and "--for" in e["reason"] for e in demo.program.events), 5, "the device's reason")
