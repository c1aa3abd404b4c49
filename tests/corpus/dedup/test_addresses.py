"""Canonical addresses: what may differ between two names of one page."""

from __future__ import annotations

import random
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup import addresses, keep
from corpus.dedup.signatures.exact import url_keys
from filters.urls import canonical
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


def judged(rows: list[tuple[int, str | None, str | None]]) -> list[tuple[int, bool]]:
    label, urls, named = zip(*rows, strict=True)
    standing, outdated = addresses.standings(np.array(label), urls, named)
    return list(zip(standing.tolist(), outdated.tolist(), strict=True))


def test_standing_by_the_named_addresses() -> None:
    best, silent, elsewhere = addresses.CANONICAL, addresses.SILENT, addresses.ELSEWHERE
    # a mirror names the original, which says nothing; a second mirror neither
    mirrors = [
        (0, "http://m.jp/x", "http://a.jp/x"),
        (0, "http://a.jp/x", ""),
        (0, "http://n.jp/", ""),
    ]
    assert judged(mirrors) == [(elsewhere, False), (best, False), (silent, False)]
    # another cluster does not name that host; an original under another of its addresses stays one
    assert (
        judged([(0, "http://m.jp/x", "http://a.jp/x"), (1, "http://a.jp/x", None)])[1][0] == silent
    )
    own = [(0, "http://a.jp/p", "http://www.a.jp/stable/p"), (0, "http://n.jp/p", "")]
    assert judged(own) == [(best, False), (silent, False)]
    # of one host: not the copy that names another address, nor the lower version
    assert judged([(0, "http://a.jp/p", "http://a.jp/q"), (0, "http://a.jp/q", None)]) == [
        (best, True), (best, False)
    ]  # fmt: skip
    assert judged([(0, "http://a.jp/2.9/p", ""), (0, "http://a.jp/2.10/p", "")])[0] == (
        silent,
        True,
    )
    assert judged([(0, "http://a.jp/2.9/p", ""), (0, "http://b.jp/2.10/p", "")])[0] == (
        silent,
        False,
    )
    assert (
        judged([(0, "urn:x", ""), (0, "", None), (0, None, "http://a.jp/")])
        == [(silent, False)] * 3
    )


def test_versions_in_addresses_are_compared_as_numbers() -> None:
    rising = [
        "a.jp/v1/x",
        "a.jp/2.9.1/x",
        "a.jp/docs/2.10/x",
        "a.jp/V3/",
        "a.jp/v3.1",
        "a.jp/new/x",
    ]
    found = [addresses.version(name) for name in rising]
    assert found == sorted(set(found)) and found[-1] == addresses.CURRENT
    for name in ("1.2.3.4/x", "a.jp/2024/05/x", "a.jp/?v=/1.2/", ""):
        assert addresses.version(name) == addresses.CURRENT
    assert addresses.version("a.jp/9999.9999.9999/") < addresses.CURRENT


def test_a_page_counts_under_the_address_that_it_names() -> None:
    urls, named = (
        pa.array(["http://a.jp/p", None, "http://a.jp/q"]),
        pa.array(["http://a.jp/q", "", ""]),
    )
    assert addresses.own(urls, named).to_pylist() == ["http://a.jp/q", None, "http://a.jp/q"]
    assert addresses.own(urls, None) is urls


def test_standings_block_by_block_are_those_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 60, 200)
    hosts, paths = ("a.jp", "b.jp", "c.jp"), ("v1/", "v2/", "2.3/", "", "")
    urls = [f"http://{rng.choice(hosts)}/{rng.choice(paths)}p" for _ in label]
    named = [f"http://{rng.choice(hosts)}/p" if rng.random() < 0.3 else None for _ in label]
    members = pa.table({"label": label, "url": urls, "canonical_url": pa.array(named, pa.string())})
    monkeypatch.setattr(keep, "ROWS_PER_BLOCK", 3)
    for ours, whole in zip(
        keep._standings(members), addresses.standings(label, urls, named), strict=True
    ):
        assert ours.tolist() == whole.tolist() and len(set(ours.tolist())) > 1


def test_the_short_way_of_plain_addresses_agrees_with_the_long_one(monkeypatch) -> None:
    draw = random.Random(1)
    bits = ["www.", "a", ".", "-", "/", "index.html", "Default.aspx", "~", "B", "//", ":80", "%41"]
    urls = ["https://" + "".join(draw.choices(bits, k=draw.randrange(1, 8))) for _ in range(20_000)]
    plain = [url for url in urls if canonical.PLAIN.fullmatch(url)]
    short = [canonical.canonical_url(url) for url in plain]
    monkeypatch.setattr(canonical, "PLAIN", re.compile("(?!)"))
    assert len(plain) > 1_000 and short == [canonical.canonical_url(url) for url in plain]
