"""A headless Chromium for tests: what it asks the network for, and what axe says of a page.

Needs Chromium with its driver, selenium and axe (the extra `browser`); a test that imports this is
skipped without them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

webdriver = pytest.importorskip("selenium.webdriver")
axe = pytest.importorskip("axe_selenium_python")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--lang=en",
)  # fmt: skip


def chromium() -> Iterator[Any]:
    """A browser, for a fixture; the test is skipped where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("CHROMIUM OR ITS DRIVER IS ABSENT: this test did not run")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    opened.set_page_load_timeout(60)
    yield opened
    opened.quit()


def shown_as(browser: Any, scheme: str = "light", width: int = 1200, height: int = 900) -> None:
    """Light or dark, and how wide: below 500 pixels as a phone."""
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def is_too_wide(browser: Any) -> bool:
    """Whether the page has to be moved sideways."""
    wide = "return document.documentElement.scrollWidth > innerWidth + 1"
    return bool(browser.execute_script(wide))


def requests(browser: Any) -> set[str]:
    """Hosts that were asked since the last time; "" for files."""
    hosts = set()
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            address = urlsplit(message["params"]["request"]["url"])
            if address.scheme not in ("about", "data", "chrome", "blob"):
                hosts.add(address.hostname or "")
    return hosts


def serious(browser: Any) -> list[tuple[str, list[str]]]:
    """What axe calls serious or critical of the page that is open."""
    checker = axe.Axe(browser)
    checker.inject()
    found = checker.run()
    assert len(found["passes"]) > 5
    return [
        (v["id"], [node["html"][:120] for node in v["nodes"][:3]])
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
