"""The explorer in a real browser: a stranger's questions by clicks, hostile pages, axe.

Needs Chromium and its driver, selenium and axe; without them it is skipped. INAHO_SCREENSHOTS names
a folder where a picture of each view is left, light, dark and as wide as a phone.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow.parquet as pq
import pypdfium2 as pdfium
import pytest

from corpus.explorer.app import application
from corpus.explorer.views import Explorer
from corpus.folder.layout import Layout

pytestmark = pytest.mark.slow
webdriver = pytest.importorskip("selenium.webdriver")
axe = pytest.importorskip("axe_selenium_python")
uvicorn = pytest.importorskip("uvicorn")
from selenium.webdriver.common.by import By  # noqa: E402

BIND = "httpd.apache.org/docs/2.4/ja/bind.html"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the explorer of a folder, in a thread."""
    config = uvicorn.Config(
        application(Explorer(Layout(folder))), port=0, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("CHROMIUM OR ITS DRIVER IS ABSENT: this test did not run")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                 "--disable-background-networking", "--disable-component-update",
                 "--disable-dev-shm-usage", "--lang=en"):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    opened.set_page_load_timeout(60)
    yield opened
    opened.quit()


def requests(browser) -> set[str]:
    """Hosts that were asked since the last time."""
    hosts = set()
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            address = urlsplit(message["params"]["request"]["url"])
            if address.scheme not in ("about", "data", "chrome"):
                hosts.add(address.hostname or "")
    return hosts


def click(browser, text: str) -> None:
    browser.find_element(By.PARTIAL_LINK_TEXT, text).click()


def fill(browser, name: str, value: str) -> None:
    field = browser.find_element(By.ID, name)
    field.clear()
    field.send_keys(value)
    field.submit()


def test_a_stranger_finds_five_answers_by_clicks(browser, judged: Path) -> None:
    with served(judged) as address:
        browser.get(address)
        # Is this page in? Why not?
        fill(browser, "url", BIND)
        assert "Dropped".lower() in browser.page_source.lower()
        browser.find_element(By.CSS_SELECTOR, ".hit .dropped + a").click()
        assert "was removed in dedup as a duplicate (near)" in browser.page_source
        # What of it became text?
        click(browser, "Raw page")
        assert browser.find_elements(By.CSS_SELECTOR, ".line.removed")
        assert browser.find_element(By.TAG_NAME, "iframe").get_attribute("sandbox") == ""
        # Who else has this sentence?
        click(browser, "Search")
        fill(browser, "q", "Apache が使用するアドレスとポート")
        assert int(browser.find_element(By.CSS_SELECTOR, "p > strong").text) > 1
        assert browser.find_element(By.TAG_NAME, "mark").text == "Apache が使用するアドレスとポート"
        # What would web at 0.2 keep?
        click(browser, "Thresholds")
        rule = browser.find_element(By.CSS_SELECTOR, "#rule option[value=judged]")
        rule.click()
        browser.find_element(By.CSS_SELECTOR, "#form button").click()
        fill(browser, "value", "0.2")
        kept, before = (
            int(browser.find_elements(By.CSS_SELECTOR, ".figures b")[i].text) for i in (0, 1)
        )
        assert kept > before
        # What is the licence of this host?
        click(browser, "Search")
        fill(browser, "host", "debian-handbook.info")
        browser.find_element(By.CSS_SELECTOR, ".hit .kept + a").click()
        browser.find_element(By.XPATH, "//summary[text()='Columns']").click()
        row = browser.find_element(By.XPATH, "//th[text()='licence']/following-sibling::td")
        assert row.is_displayed()


def test_hostile_pages_run_nothing_and_ask_nobody(browser, hostile: Path) -> None:
    ids = [i for p in (hostile / "documents").iterdir() for i in pq.read_table(p)["id"].to_pylist()]
    with served(hostile) as address:
        browser.get(address)
        requests(browser)
        browser.get_log("browser")
        for name in ids[::3]:
            for view in ("", "/raw"):
                browser.get(f"{address}/document/{name}{view}")
                assert "Inaho" in browser.title and browser.title != "HACKED"
                assert browser.find_element(By.TAG_NAME, "header").is_displayed()
                wide = browser.execute_script(
                    "return document.documentElement.scrollWidth > innerWidth + 1"
                )
                assert not wide, name
        browser.get(f"{address}/search")
        assert requests(browser) == {"127.0.0.1"}
        errors = [e["message"] for e in browser.get_log("browser") if "favicon" not in e["message"]]
        assert not errors


def views_of(judged: Path) -> dict[str, str]:
    rows = pq.read_table(judged / "duplicates", columns=["id", "kept_id", "cluster"]).to_pylist()
    row = next(row for row in rows if row["id"] != row["kept_id"])
    return {
        "home": "/", "search": "/search?q=%E8%A8%AD%E5%AE%9A", "document": f"/document/{row['id']}",
        "raw": f"/document/{row['id']}/raw", "cluster": f"/cluster/{row['cluster']}",
        "difference": f"/difference?one={row['kept_id']}&other={row['id']}",
        "thresholds": "/thresholds?profile=web&rule=judged&value=0.2",
        "takedown": f"/takedown?id={row['kept_id']}", "clusters": "/clusters",
        "sql": "/sql?q=select+rule%2C+count%28%2A%29+as+n+from+ledger+group+by+all",
    }  # fmt: skip


def test_axe_finds_nothing_serious_in_any_view(browser, judged: Path) -> None:
    with served(judged) as address:
        for name, view in views_of(judged).items():
            for scheme in ("light", "dark"):
                media = [{"name": "prefers-color-scheme", "value": scheme}]
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
                browser.get(address + view)
                found = serious(browser)
                assert not found, (name, scheme, found)


def serious(browser) -> list[tuple[str, list[str]]]:
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


def test_the_report_speaks_both_languages_and_fits_a_phone(browser, judged: Path) -> None:
    for scheme in ("light", "dark"):
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        browser.get((judged / "report.html").as_uri())
        assert not serious(browser), scheme
    assert browser.find_element(By.CSS_SELECTOR, "h2 .en").is_displayed()
    browser.find_element(By.ID, "ja").click()
    assert browser.find_element(By.CSS_SELECTOR, "h2 .ja").is_displayed()
    assert not browser.find_element(By.CSS_SELECTOR, "h2 .en").is_displayed()
    size = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 391
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_report_is_printed_whole_and_light(browser, judged: Path) -> None:
    """As a browser that shows it dark prints it on A4: what is folded away on screen is there."""
    media = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    browser.get((judged / "report.html").as_uri())
    asked = {"printBackground": True, "preferCSSPageSize": True}
    data = browser.execute_cdp_cmd("Page.printToPDF", asked)["data"]
    printed = pdfium.PdfDocument(base64.b64decode(data))
    width, height = printed[0].get_size()
    assert (round(width), round(height)) == (595, 842) and 5 < len(printed) < 20
    text = "\n".join(page.get_textpage().get_text_bounded() for page in printed)
    seen = browser.execute_script("return document.documentElement.innerText")
    hidden = ("hangul_", "type image/gif")
    assert all(word not in seen and word in text for word in hidden)
    assert "open to read" not in text
    for page in printed:
        ink = np.asarray(page.render(scale=0.5).to_numpy())
        margin = ink[:, :8], ink[:, -8:]
        assert (ink > 200).mean() > 0.6 and all((edge > 250).all() for edge in margin)
    printed.close()


@pytest.mark.skipif("INAHO_SCREENSHOTS" not in os.environ, reason="no folder for screenshots")
def test_pictures_of_each_view(browser, judged: Path) -> None:
    place = Path(os.environ["INAHO_SCREENSHOTS"])
    with served(judged) as address:
        for name, view in views_of(judged).items():
            for kind, width, scheme in (("light", 1200, "light"), ("dark", 1200, "dark"),
                                        ("phone", 390, "light")):  # fmt: skip
                media = [{"name": "prefers-color-scheme", "value": scheme}]
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
                size = {
                    "width": width,
                    "height": 900,
                    "deviceScaleFactor": 1,
                    "mobile": width < 500,
                }
                browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                browser.get(f"{address}{view}{'&' if '?' in view else '?'}lang=ja")
                browser.save_screenshot(str(place / f"explorer-{name}-{kind}.png"))
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
