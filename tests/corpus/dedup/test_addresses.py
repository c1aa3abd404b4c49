"""Canonical addresses: what may differ between two names of one page."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.signatures.exact import url_keys
from filters.urls.canonical import canonical_url


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("http://example.jp", "https://www.EXAMPLE.jp:443/"),
        ("http://example.jp/a#top", "http://example.jp/a"),
        ("http://example.jp/a/index.html", "http://example.jp/a"),
        ("http://example.jp/?b=2&a=1", "http://example.jp/?a=1&b=2&utm_source=news&fbclid=x"),
        ("http://example.jp/%e6%97%a5", "http://example.jp/日"),
        ("http://例え.jp/", "http://xn--r8jz45g.jp/"),
        ("http://example.jp/a;jsessionid=0123", "http://example.jp/a"),
        ("http://user:secret@example.jp/a", "http://example.jp/a"),
    ],
)
def test_names_of_one_page(left: str, right: str) -> None:
    assert canonical_url(left) == canonical_url(right) != ""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("http://example.jp/a", "http://example.jp/A"),
        ("http://example.jp/a", "http://example.co.jp/a"),
        ("http://example.jp/?p=1", "http://example.jp/?p=2"),
        ("http://example.jp/", "http://example.jp:8080/"),
        ("http://a.example.jp/", "http://b.example.jp/"),
    ],
)
def test_names_of_two_pages(left: str, right: str) -> None:
    assert canonical_url(left) != canonical_url(right)


@pytest.mark.parametrize(
    "url", ["", "urn:uuid:1", "mailto:a@b.jp", "http://", "http://[", "x" * 99]
)
def test_what_is_no_web_address_never_matches(url: str) -> None:
    assert canonical_url(url) == ""
    assert url_keys(pa.array([url, None])).tolist() == [0, 0]


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    for url in (text, "http://example.jp/" + text, "http://" + text, "https://x.jp/?" + text):
        name = canonical_url(url)
        assert name.isascii()
        if name:
            assert canonical_url("http://" + name) == name
