import pathlib
import sys

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from page import Page  # noqa: E402
from programs import Broker, led_demo  # noqa: E402

WIDE, PHONE = (1280, 800), (390, 844)


@pytest.fixture(scope="session")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    # Chromium's sandbox does not start as root, which is what CI runs as; the pages here are our own.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--window-size=1280,800"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.set_script_timeout(15)
    yield driver
    driver.quit()


@pytest.fixture
def broker():
    broker = Broker().start()
    yield broker
    broker.stop()


@pytest.fixture
def device(broker):
    device = led_demo(broker.port)
    yield device
    device.stop()


@pytest.fixture
def window(driver):
    """Opens windows of this test; they are closed after it."""
    first, opened = driver.current_window_handle, []

    def open_page(url, size=WIDE):
        driver.switch_to.new_window("window")
        page = Page(driver, driver.current_window_handle)
        opened.append(page)
        page.size(*size, touch=size == PHONE)
        driver.get(url)
        return page
    yield open_page
    for page in opened:
        page.front()
        driver.close()
    driver.switch_to.window(first)
