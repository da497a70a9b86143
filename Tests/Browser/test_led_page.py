"""The first thing a user does: pages, a device and a broker, all real."""

import os
import time
import urllib.request

from selenium.webdriver.common.keys import Keys

from conftest import PHONE
from programs import led_demo, until
from smq import RawDevice, device_info


def both(*pages):
    return lambda condition, what, timeout=8: [page.until(condition, timeout, what) for page in pages]


def test_a_switch_turns_the_led_the_line_and_the_other_window(broker, device, window):
    one, two = window(broker.url), window(broker.url)
    one.until_here()
    two.until_here()
    one.press(2)
    for page in (one, two):
        state = page.until_led(2, True)
        assert 13 in state["header"], "LED 2 is drawn lit on its pin"
        assert state["leds"]["1"] is False
    event = until(lambda: next((e for e in device.events if e.get("event") == "led" and e["id"] == 2), None),
                  what=f"an LED event in {device.lines}")
    assert event["on"] is True
    two.press(2)
    for page in (one, two):
        assert page.until_led(2, False)["header"] == []
    until(lambda: [e["on"] for e in device.events if e.get("event") == "led" and e["id"] == 2][-1] is False,
          what="the line off again")


def test_a_window_that_opens_later_sees_what_is_lit(broker, device, window):
    one = window(broker.url)
    one.until_here()
    one.press(4)
    one.until_led(4, True)
    state = window(broker.url).until_here()
    assert state["leds"]["4"] is True
    assert state["header"] == [16]


def test_a_key_in_the_terminal_shows_in_both_windows(broker, window):
    device = led_demo(broker.port, terminal=True)
    try:
        one, two = window(broker.url), window(broker.url)
        one.until_here()
        two.until_here()
        device.type("1")
        for page in (one, two):
            page.until_led(1, True)
        before = float(one.read()["temperature"])
        device.type("\x1b[A")
        for page in (one, two):
            page.until(lambda s: float(s["temperature"]) > before, what=f"more than {before} degrees")
    finally:
        device.stop()


def test_a_device_that_dies_is_away_at_once_and_reappears(broker, window):
    device = led_demo(broker.port)
    try:
        one, two = window(broker.url), window(broker.url)
        name = one.until_here()["name"]
        two.until_here()
        device.kill()
        both(one, two)(lambda s: s["device"] == "away" and "Went away" in s["presence"]
                       and any("went away" in toast for toast in s["toasts"]), "the device away", 5)
        one.press(1)
        one.until(lambda s: any("is away" in toast for toast in s["toasts"]) and s["leds"]["1"] is False,
                  what="a refusal to switch")
        device = led_demo(broker.port)
        both(one, two)(lambda s: s["device"] == "here" and s["name"] == name and len(s["devices"]) == 1
                       and any("is back" in toast for toast in s["toasts"]), "the device back", 12)
        two.press(3)
        for page in (one, two):
            page.until_led(3, True)
    finally:
        device.stop()


def test_a_broker_that_dies_is_said_and_recovered_from(broker, device, window):
    one, two = window(broker.url), window(broker.url)
    one.until_here()
    two.until_here()
    broker.kill()
    both(one, two)(lambda s: s["link"] == "lost" and "Broker lost, reconnecting" in s["banner"]
                   and s["device"] == "unsure", "broker lost", 5)
    one.until(lambda s: "Attempt" in s["banner"], what="the number of attempts")
    one.screenshot("wide-broker-lost")
    broker.start()
    both(one, two)(lambda s: s["link"] == "connected" and not s["banner"] and s["device"] == "here"
                   and len(s["devices"]) == 1, "recovery", 20)
    one.press(1)
    for page in (one, two):
        page.until_led(1, True)


def test_everything_by_keyboard(broker, device, window):
    others = [RawDevice(broker.port, device_info("10.0.0.1", "First")), RawDevice(broker.port, device_info("10.0.0.2", "Second"))]
    page = window(broker.url)
    page.until(lambda s: len(s["devices"]) == 3)
    driver = page.front()
    active = lambda: driver.switch_to.active_element  # noqa: E731
    for _ in range(10):
        active().send_keys(Keys.TAB)
        if active().get_attribute("role") == "option":
            break
    assert active().get_attribute("role") == "option", "Tab reaches the list"
    active().send_keys(Keys.HOME)
    page.until(lambda s: s["name"] == "First")
    active().send_keys(Keys.ARROW_DOWN)
    page.until(lambda s: s["name"] == "Second")
    active().send_keys(Keys.ARROW_UP)
    page.until(lambda s: s["name"] == "First")
    active().send_keys(Keys.ARROW_UP)
    active().send_keys("3")
    page.until_led(3, True)
    assert others[0].commands == [b"\x03\x01"] and others[1].commands == []
    active().send_keys(Keys.TAB)
    assert active().get_attribute("role") == "switch"
    active().send_keys(Keys.SPACE)
    page.until_led(1, True)
    active().send_keys(Keys.ENTER)
    page.until_led(1, False)
    assert active().get_attribute("data-led") == "1", "the focus stays where it was"
    active().send_keys("9")
    active().send_keys(Keys.CONTROL, "2")
    assert page.read()["leds"]["2"] is False
    for other in others:
        other.close()


def test_a_press_is_marked_at_once_and_a_missing_echo_is_said(broker, window):
    mute = RawDevice(broker.port, device_info("10.0.0.9", "Silent device"), mute=True)
    page = window(broker.url)
    page.until_here("Silent device")
    marked = page.front().execute_async_script("""
      const done = arguments[0], button = document.querySelector('#switches [data-led="2"]');
      button.click();
      requestAnimationFrame(() => setTimeout(() => done(button.classList.contains('pending')), 0));""")
    assert marked, "pending within one frame"
    state = page.read()
    assert state["leds"]["2"] is False, "the lamp waits for the echo"
    state = page.until(lambda s: s["problems"], 4)
    assert state["problems"] == ["No answer"] and state["pending"] == []
    assert mute.commands == [b"\x02\x01"]
    mute.close()


def test_a_foreign_device_without_a_header(broker, window):
    plain = RawDevice(broker.port, device_info("10.0.0.9", "Vendor's device"))
    page = window(broker.url)
    assert page.until_here("Vendor's device")["header"] is None
    page.press(4)
    page.until_led(4, True)
    plain.close()


def test_equal_addresses_are_told_apart_by_name(broker, window):
    devices = [RawDevice(broker.port, device_info("10.0.0.9", name)) for name in ("Left", "Right")]
    page = window(broker.url)
    state = page.until(lambda s: len(s["devices"]) == 2)
    assert [(d["address"], d["name"]) for d in state["devices"]] == [("10.0.0.9", "Left"), ("10.0.0.9", "Right")]
    page.choose("Right")
    page.press(1)
    page.until_led(1, True)
    assert devices[0].commands == [] and devices[1].commands == [b"\x01\x01"]
    for device in devices:
        device.close()


def test_no_device_says_how_to_start_one(broker, window):
    page = window(broker.url)
    state = page.until(lambda s: s["link"] == "connected" and s["empty"])
    assert f"LEDDemo --broker smq://127.0.0.1:{broker.port}/smq.lsp" in state["empty"]
    page.screenshot("wide-empty")
    page.size(*PHONE, touch=True)
    assert page.read()["overflow"] == 0
    page.screenshot("phone-empty")


def test_phone(broker, device, window):
    page = window(broker.url, PHONE)
    page.until_here()
    assert page.read()["overflow"] == 0
    driver = page.front()
    small = driver.execute_script("""return [...document.querySelectorAll('button')].filter((e) => e.checkVisibility())
      .map((e) => [e.textContent, e.getBoundingClientRect()]).filter(([, r]) => r.height < 40 || r.width < 40)""")
    assert small == [], "everything to press is as big as a finger"
    picker = driver.find_element("id", "picker")
    picker.click()
    assert driver.find_element("id", "device-pane").is_displayed()
    driver.find_element("css selector", "#device-list li").click()
    assert not driver.find_element("id", "device-pane").is_displayed()
    for width in (320, 360, 600, 760, 761, 1000, 1020):
        page.size(width, 700)
        # The widest that the top bar can say.
        overflow = driver.execute_script("""
          document.getElementById('link-words').textContent = 'Not connected';
          document.getElementById('link-rtt').textContent = '1999 ms';
          return document.documentElement.scrollWidth - document.documentElement.clientWidth""")
        assert overflow == 0, f"{width} wide"


def test_the_page_is_served_strictly_and_stays_quiet(broker, device, window):
    answer = urllib.request.urlopen(broker.url)
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    page = window(broker.url)
    page.front().get_log("browser")  # of the tests before, some of which stop the broker
    driver = page.front()
    driver.refresh()
    page.until_here()
    page.press(1)
    page.until_led(1, True)
    assert driver.get_log("browser") == []


def test_screenshots(broker, window):
    device = led_demo(broker.port, "--name", "Kitchen", terminal=True)
    others = [RawDevice(broker.port, device_info("192.168.1.7", "Vendor's device")),
              RawDevice(broker.port, device_info("192.168.1.7", "Another on the same address", leds=2))]
    for size, shape in (((1280, 800), "wide"), (PHONE, "phone")):
        page = window(broker.url, size)
        page.until(lambda s: len(s["devices"]) == 3)
        page.choose("Kitchen")
        for led in (1, 3):
            if not page.read()["leds"][str(led)]:
                page.press(led)
                page.until_led(led, True)
        if os.environ.get("DEVICESDK_SCREENSHOTS"):
            for key in "AAABAAAABB":  # the arrows of a warm afternoon
                device.type(f"\x1b[{key}")
                time.sleep(0.6)
        for scheme in ("light", "dark"):
            page.media(prefers_color_scheme=scheme)
            page.screenshot(f"{shape}-{scheme}")
        page.media(prefers_reduced_motion="reduce")
        assert page.front().execute_script(
            "return document.getAnimations().filter((a) => a.playState === 'running').length") == 0
    for other in others:
        other.close()
    device.stop()
