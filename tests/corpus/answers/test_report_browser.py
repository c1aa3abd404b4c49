"""The report in a browser: two languages, by keyboard, on a phone, light and dark, on paper."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pytest

pytestmark = pytest.mark.slow
pytest.importorskip("selenium.webdriver")
from browsing import chromium, is_too_wide, requests, serious, shown_as  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium()


@pytest.fixture(scope="module")
def report(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the report of a build with several sources, whose rules dropped something."""
    out = tmp_path_factory.mktemp("reported") / "o"
    run_corpus("build", "tests/data/sample.warc.gz", "tests/data/sources", "--out", out,
               "--profile", "auto", "-q")  # fmt: skip
    return (out / "report.html").as_uri()


def pressed(browser: Any, *keys: str) -> Any:
    """The element that has the focus after these keys."""
    for key in keys:
        browser.switch_to.active_element.send_keys(key)
    return browser.switch_to.active_element


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_on_any_screen(browser: Any, report: str, scheme: str, width: int) -> None:
    shown_as(browser, scheme, width)
    requests(browser)
    browser.get(report)
    for language in ("ja", "en"):
        browser.find_element(By.ID, language).click()
        assert not serious(browser) and not is_too_wide(browser)
        other = {"ja": "en", "en": "ja"}[language]
        assert browser.find_element(By.CSS_SELECTOR, f"h2 .{language}").is_displayed()
        assert not any(e.is_displayed() for e in browser.find_elements(By.CLASS_NAME, other))
    assert requests(browser) <= {""}


def test_it_is_used_by_keyboard_alone(browser: Any, report: str) -> None:
    shown_as(browser)
    browser.get(report)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") == "en"
    assert pressed(browser, Keys.ARROW_RIGHT).get_attribute("id") == "ja"
    assert browser.find_element(By.CSS_SELECTOR, "h2 .ja").is_displayed()
    # The contents lead to their sections, and what is folded opens.
    link = pressed(browser, Keys.TAB, Keys.TAB)
    assert link.tag_name == "a" and link.text == "プロファイルと規則"
    link.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("#rules")
    while (found := pressed(browser, Keys.TAB)).tag_name != "summary":
        assert found.get_attribute("role") == "region"  # a table, which may be moved sideways
    was_open = found.find_element(By.XPATH, "..").get_attribute("open")
    found.send_keys(Keys.ENTER)
    assert found.find_element(By.XPATH, "..").get_attribute("open") != was_open


def test_it_is_printed_whole_and_light(browser: Any, report: str) -> None:
    """As a browser that shows it dark prints it on A4: what is folded away on screen is there."""
    shown_as(browser, "dark")
    browser.get(report)
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
