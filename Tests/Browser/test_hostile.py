"""What others may try: pages of another site, and devices that lie."""

import functools
import http.server
import json
import threading
import urllib.error
import urllib.request

import pytest

from programs import Program, binary, free_port, until
from smq import RawClient, RawDevice, device_info

DEVICE = "/m2m/led/device"


@pytest.fixture
def other_site(tmp_path):
    """A page of another origin, from a server of its own."""
    (tmp_path / "index.html").write_text("<!doctype html><title>Other site</title>")
    handler = functools.partial(type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None}),
                                directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


OPEN = """
const done = arguments[1], ws = new WebSocket(arguments[0]);
ws.onopen = () => done('open');
ws.onclose = () => done('refused');
"""


def test_a_page_of_another_site_may_not_use_the_broker(broker, window, other_site):
    address = f"ws://127.0.0.1:{broker.port}/smq.lsp"
    own = window(broker.url)
    assert own.front().execute_async_script(OPEN, address) == "open", "the broker's own page may"
    stranger = window(other_site)
    assert stranger.front().title == "Other site"
    assert stranger.front().execute_async_script(OPEN, address) == "refused"
    stranger.front().get_log("browser")


def test_on_a_network_the_page_needs_its_token(window):
    port = free_port()
    program = Program(binary("LEDDemo"), "--lan", "--listen", f"0.0.0.0:{port}", "--board", "sim", "--json")
    try:
        printed = until(lambda: next((e["url"] for e in program.events if e.get("event") == "page"), None), 15,
                        "the page's address")
        token = printed.partition("?token=")[2]
        assert len(token) >= 16
        page = window(f"http://127.0.0.1:{port}/?token={token}")
        page.until_here()
        page.press(1)
        page.until_led(1, True)
        for wrong in ("", "?token=", "?token=" + token[:-1] + "x"):
            assert page.front().execute_async_script(OPEN, f"ws://127.0.0.1:{port}/smq.lsp{wrong}") == "refused"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/")
        page.front().get_log("browser")
    finally:
        program.stop()


def test_hostile_devinfo_does_not_break_the_page(broker, device, window):
    page = window(broker.url)
    page.until_here()
    attack = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>'
    liar = RawDevice(broker.port, {
        "ipaddr": attack, "devname": "\u202e" + attack, "temp": -32768,
        "leds": [{"id": 0, "name": attack, "color": 'red" onclick="window.hit=1', "on": True, "pin": 1, "line": attack}],
        "board": {"model": attack, "simulated": True,
                  "pins": [{"pin": 1, "kind": 'x" onload="window.hit=1', "signal": "<script>window.hit=1</script>"}]}})
    page.until(lambda s: len(s["devices"]) == 2)
    page.choose("<img")
    assert page.read()["header"] == [1]
    page.screenshot("wide-hostile")
    assert page.front().execute_script(
        "return window.hit ?? document.querySelectorAll('#device img, #device-list img, #device script').length") == 0

    raw = RawClient(broker.port)
    deep = "[" * 60000
    bad = ["", "null", "{}", deep, '{"leds":' + deep, "\0" * 60000, b"\xff\xfe\xfd", '{"ipaddr":1,"devname":2,"leds":3}',
           json.dumps(device_info("1", "too many", leds=17)),
           json.dumps({**device_info("1", "double"), "leds": [{"id": 1, "name": "a", "color": "red", "on": True}] * 2}),
           '{"__proto__":{"ipaddr":"1"},"constructor":{"prototype":{"on":true}},"leds":[]}',
           json.dumps({**device_info("1", "hot"), "temp": 1e300})]
    for data in bad:
        raw.publish(DEVICE, data, "devinfo")
    raw.publish(DEVICE, b"\x01", "led")
    raw.publish(DEVICE, b"\x01\x01", "led")  # of a device that never said what it is
    raw.publish(DEVICE, b"anything", "no such sub-topic")
    raw.publish(DEVICE, b"anything")
    raw.publish("/m2m/temp", b"\x00")
    state = page.until(lambda s: f"{len(bad) + 4} messages ignored" in s["note"], what="all of it ignored and counted")
    assert len(state["devices"]) == 2
    assert state["link"] == "connected"

    # An echo counts for its sender only: a stranger cannot light a lamp of another device.
    ours = next(d["name"] for d in state["devices"] if "<img" not in d["name"])
    page.choose(ours)
    liar.publish(DEVICE, b"\x01\x01", "led")
    liar.publish(DEVICE, b"\x00\x00", "led")
    page.until(lambda s: f"{len(bad) + 5} messages ignored" in s["note"], what="an echo of an LED that the liar lacks")
    assert page.read()["leds"]["1"] is False
    page.press(1)
    page.until_led(1, True)
    for client in (liar, raw):
        client.close()


def test_more_devices_than_anyone_can_list(broker, window):
    page = window(broker.url)
    page.until(lambda s: s["link"] == "connected")
    # Small enough for the broker's queue of one client: this is about the list, not about a page that is dropped.
    info = json.dumps(device_info("10.9.9.9", "x" * 4000, leds=16))
    clients = [RawClient(broker.port) for _ in range(40)]
    for client in clients:
        for _ in range(5):
            client.publish(DEVICE, info, "devinfo")
    state = page.until(lambda s: len(s["devices"]) == 40, 20)
    assert state["overflow"] == 0
    assert all(len(d["name"]) <= 64 for d in state["devices"])
    for client in clients:
        client.close()
    page.until(lambda s: not [d for d in s["devices"] if d["state"] == "here"], 10, "all of them gone")
    assert len(page.read()["devices"]) <= 9, "memories are few"


def test_a_device_floods(broker, window):
    """Thousands of echoes a second: the page draws once per frame and still answers the user."""
    device = RawDevice(broker.port, device_info("10.0.0.9", "Flood"))
    page = window(broker.url)
    page.until_here("Flood")
    for index in range(5000):
        device.publish(DEVICE, bytes([2, index % 2]), "led")
    device.publish(DEVICE, b"\x02\x01", "led")
    page.press(1)
    page.until_led(1, True)
    page.until_led(2, True)
    until(lambda: device.commands == [b"\x01\x01"])
    device.close()


def test_a_page_that_cannot_keep_up_comes_back(broker, window):
    """A burst beyond the broker's queue of one client costs the page its connection, and nothing else."""
    device = RawDevice(broker.port, device_info("10.0.0.9", "Steady"))
    page = window(broker.url)
    page.until_here("Steady")
    raw = RawClient(broker.port)
    for _ in range(400):
        raw.publish(DEVICE, "x" * 60000, "devinfo")
    raw.publish(DEVICE, "the end", "devinfo")
    page.until_here("Steady")
    page.until(lambda s: "ignored" in s["note"], what="the junk counted")
    # The connection may be lost while the press is on its way, and a press is never replayed: press until it holds.
    for _ in range(5):
        page.until_here("Steady")
        page.press(2)
        try:
            page.until(lambda s: s["leds"].get("2") is True, 3)
            break
        except AssertionError:
            pass
    page.until_led(2, True)
    for client in (device, raw):
        client.close()
