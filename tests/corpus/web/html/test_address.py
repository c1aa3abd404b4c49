"""The address a page names as its own, and what is no such claim."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.web.html.address import stated_address, web_address
from corpus.web.html.document import parse

URL = "http://www.example.jp/docs/3.8/intro.html?ref=top"
LINK = '<link rel="{}" href="{}">'


def named(head: str, url: str = URL) -> str:
    page = parse(f"<html><head>{head}</head><body><p>本文</p></body></html>")
    return stated_address(page.links, page.meta, url)


@pytest.mark.parametrize(
    ("head", "address"),
    [
        (LINK.format("canonical", "https://example.jp/a"), "https://example.jp/a"),
        (LINK.format("CANONICAL nofollow", "../3.12/intro.html#top"),
         "http://www.example.jp/docs/3.12/intro.html"),
        (LINK.format("canonical", "//docs.example.jp/a?b=1&amp;c=2"),
         "http://docs.example.jp/a?b=1&c=2"),
        ('<meta property="og:url" content="https://example.jp/b">', "https://example.jp/b"),
        ('<meta property="og:url" content="https://example.jp/b">'
         + LINK.format("canonical", "/c"), "http://www.example.jp/c"),
        (LINK.format("canonical", "https://例え.jp/頁"), "https://例え.jp/頁"),
        (LINK.format("canonical", "/c") * 2, "http://www.example.jp/c"),
        # claims that contradict each other, and home pages
        (LINK.format("canonical", "/c") + LINK.format("canonical", "/d"), ""),
        (LINK.format("canonical", "https://www.example.jp/"), ""),
        ('<meta property="og:url" content="http://example.jp">', ""),
        (LINK.format("alternate", "/c"), ""),
        ("", ""),
    ],
)  # fmt: skip
def test_what_a_page_names(head: str, address: str) -> None:
    assert named(head) == address


@pytest.mark.parametrize(
    "claim",
    [
        "javascript:alert(1)", "data:text/html,x", "ftp://example.jp/a", "file:///etc/passwd",
        "http://user:secret@example.jp/a", "http://localhost/a", "http://127.0.0.1/a",
        "http://[::1]/a", "http://[", "http://example.jp:99999/a", "http://example.jp/<script>",
        "http://example.jp/a b", "http://example.jp\\@evil.example/", "http://", "#top", " ",
        "http://example.jp/" + "x" * 3000,
    ],
)  # fmt: skip
def test_a_hostile_claim_is_none(claim: str) -> None:
    assert web_address(claim, URL).removesuffix(URL) == ""


def test_a_home_page_names_itself() -> None:
    link = LINK.format("canonical", "https://example.jp/")
    assert named(link, "http://www.example.jp/index.html") == "https://example.jp/"


@given(st.text(max_size=80), st.text(max_size=40))
def test_any_claim_is_read(claim: str, base: str) -> None:
    for url in ("", URL, "http://" + base, base):
        address = web_address(claim, url)
        assert not address or address.startswith(("http://", "https://"))
