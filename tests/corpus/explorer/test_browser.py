"""The explorer in a real browser: a stranger's questions by clicks, hostile pages, axe.

Needs Chromium and its driver, selenium and axe; without them it is skipped. INAHO_SCREENSHOTS names
a folder where a picture of each view is left, light, dark and as wide as a phone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpus.explorer.app import application
from corpus.explorer.views import Explorer
from corpus.folder.layout import Layout

pytestmark = pytest.mark.slow
pytest.importorskip("selenium.webdriver")
uvicorn = pytest.importorskip("uvicorn")
from browsing import chromium, is_too_wide, requests, serious, shown_as  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.expected_conditions import staleness_of  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

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
def browser() -> Iterator[Any]:
    yield from chromium()


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
        rule.click()  # the choice of a rule sends its form
        WebDriverWait(browser, 20).until(staleness_of(rule))
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


def test_a_page_is_found_by_keyboard_alone(browser, judged: Path) -> None:
    with served(judged) as address:
        browser.get(address)
        browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
        skip = browser.switch_to.active_element
        assert skip.get_attribute("class") == "skip" and skip.rect["x"] >= 0  # seen with the focus
        skip.send_keys(Keys.ENTER)
        browser.switch_to.active_element.send_keys(Keys.TAB)
        field = browser.switch_to.active_element
        assert field.get_attribute("id") == "q"
        field.send_keys("設定", Keys.ENTER)
        assert "q=%E8%A8%AD%E5%AE%9A" in browser.current_url
        link = browser.find_element(By.CSS_SELECTOR, ".hit .badge + a")
        link.send_keys(Keys.ENTER)
        assert "/document/" in browser.current_url


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
                assert not is_too_wide(browser), name
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


def test_axe_finds_nothing_serious_in_any_view_and_all_fit_a_phone(browser, judged: Path) -> None:
    with served(judged) as address:
        for name, view in views_of(judged).items():
            for scheme, width in (("light", 1200), ("dark", 390)):
                shown_as(browser, scheme, width)
                browser.get(address + view)
                found = serious(browser)
                assert not found and not is_too_wide(browser), (name, scheme, found)


@pytest.mark.skipif("INAHO_SCREENSHOTS" not in os.environ, reason="no folder for screenshots")
def test_pictures_of_each_view(browser, judged: Path) -> None:
    place = Path(os.environ["INAHO_SCREENSHOTS"])
    with served(judged) as address:
        for name, view in views_of(judged).items():
            for kind, width, scheme in (("light", 1200, "light"), ("dark", 1200, "dark"),
                                        ("phone", 390, "light")):  # fmt: skip
                shown_as(browser, scheme, width)
                browser.get(f"{address}{view}{'&' if '?' in view else '?'}lang=ja")
                browser.save_screenshot(str(place / f"explorer-{name}-{kind}.png"))
