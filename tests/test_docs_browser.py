"""The documentation site in a real browser, opened from the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
pytest.importorskip("selenium.webdriver")
pytest.importorskip("material", reason="the extra `docs` is not installed")
from browsing import chromium, is_too_wide, requests, serious, shown_as  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

REPO = Path(__file__).resolve().parent.parent
PAGES = ("index", "tutorials/first-corpus", "tutorials/first-corpus.ja", "explore", "settings")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", place]
    subprocess.run(command, cwd=REPO, check=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    return place.as_uri()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_readable_on_any_screen(browser: Any, site: str, page: str) -> None:
    requests(browser)
    for scheme, width in (("light", 1200), ("dark", 390)):
        shown_as(browser, scheme, width)
        browser.get(f"{site}/{page}.html")
        # Of Material's two buttons for light and dark one is hidden, whose field axe then misses.
        found = [(rule, nodes) for rule, nodes in serious(browser)
                 if not all("md-option" in node for node in nodes)]  # fmt: skip
        assert not found and not is_too_wide(browser), scheme
    language = browser.find_element(By.TAG_NAME, "html").get_attribute("lang")
    assert language == ("ja" if page.endswith(".ja") else "en")
    assert requests(browser) <= {""}


@pytest.mark.parametrize("words", ["権利者への回答", "文字コード", "register export"])
def test_words_are_found_without_a_network(browser: Any, site: str, words: str) -> None:
    shown_as(browser)
    browser.get(f"{site}/index.html")
    requests(browser)
    field = browser.find_element(By.CSS_SELECTOR, ".md-search__input")
    field.click()
    field.send_keys(words)
    found = WebDriverWait(browser, 30).until(
        lambda b: b.find_elements(By.CSS_SELECTOR, ".md-search-result__item a")
    )
    texts = " ".join(item.text for item in found)
    assert words.split()[0] in texts, texts
    assert requests(browser) <= {""}
