"""Canonical addresses: what may differ between two names of one page."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.signatures import addresses
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


def test_standing_by_the_named_address() -> None:
    urls = ["http://a.jp/x", "https://www.a.jp/x/", "http://a.jp/x", "http://a.jp/x", "", "urn:x"]
    named = ["http://a.jp/x", "http://a.jp/x", "http://a.jp/y", "http://b.jp/x", "http://a.jp/", ""]
    found = addresses.standing(pa.array(urls), pa.array(named))
    own, silent = addresses.OWN, addresses.SILENT
    assert found.tolist() == [own, own, addresses.SAME_HOST, addresses.OTHER_HOST, silent, silent]
    assert set(addresses.standing(pa.array(urls), None).tolist()) == {silent}
    assert addresses.own(pa.array(["http://a.jp/p", None]), None).to_pylist() == [
        "http://a.jp/p",
        "",
    ]


def test_versions_in_addresses_are_compared_as_numbers() -> None:
    rising = [
        "http://a.jp/v1/x", "http://a.jp/2.9.1/x", "http://a.jp/docs/2.10/x", "http://a.jp/V3/",
        "http://a.jp/v3.1", "http://a.jp/latest/x",
    ]  # fmt: skip
    found = addresses.versions(pa.array(rising)).tolist()
    assert found == sorted(set(found))
    none = ["http://1.2.3.4/x", "http://a.jp/2024/05/x", "http://a.jp/?v=/1.2/", "", None]
    assert set(addresses.versions(pa.array(none)).tolist()) == {addresses.CURRENT}
