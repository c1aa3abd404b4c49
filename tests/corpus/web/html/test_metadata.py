"""Title, date, author, site and the head's raw material for rights detection."""

from __future__ import annotations

import pytest

from corpus.web.html.metadata import read_date
from corpus.web.main_text.extract import extract, parse


def page(head: str, body: str = "<p>本文です。</p>") -> str:
    return f"<html><head>{head}</head><body>{body}</body></html>"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-03-05T10:00:00+09:00", "2024-03-05"),
        ("2024/3/5 10:00", "2024-03-05"),
        ("公開日：2024年3月5日（火）", "2024-03-05"),
        ("2024年 3月 5日", "2024-03-05"),
        ("20240305", "2024-03-05"),
        ("令和6年3月5日", "2024-03-05"),
        ("令和元年5月1日", "2019-05-01"),
        ("平成31年4月30日", "2019-04-30"),
        ("March 5, 2024", "2024-03-05"),
        ("Tue, 05 Mar 2024 01:00:00 GMT", "2024-03-05"),
        ("2024.03.05", "2024-03-05"),
        ("2024-13-05", ""),
        ("2024-02-30", ""),
        ("1850-01-01", ""),
        ("March 2024", ""),
        ("電話 03-1234-5678", ""),
        ("", ""),
    ],
)
def test_dates_are_read_in_the_forms_pages_use(text: str, day: str) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize(
    ("head", "body", "url", "day"),
    [
        (
            '<meta property="article:published_time" content="2024-03-05T01:00:00Z">',
            "",
            "",
            "2024-03-05",
        ),
        ('<meta name="date" content="2024-03-05">', "", "", "2024-03-05"),
        ('<meta itemprop="datePublished" content="2024-03-05">', "", "", "2024-03-05"),
        (
            '<meta property="article:modified_time" content="2024-04-01">'
            '<meta property="article:published_time" content="2024-03-05">',
            "",
            "",
            "2024-03-05",
        ),
        ('<meta property="article:modified_time" content="2024-04-01">', "", "", "2024-04-01"),
        (
            '<script type="application/ld+json">{"@graph":[{"@type":"WebPage"},'
            '{"@type":"BlogPosting",'
            '"datePublished":"2024-03-05"}]}</script>',
            "",
            "",
            "2024-03-05",
        ),
        ("", '<time datetime="2024-03-05">火曜日</time>', "", "2024-03-05"),
        ("", "", "https://example.jp/news/2024/03/05/sakura.html", "2024-03-05"),
        ("", "", "https://example.jp/20240305-sakura/", "2024-03-05"),
        ("", "", "https://example.jp/id/12345678/", ""),
    ],
)
def test_date_from_meta_jsonld_time_and_url(head: str, body: str, url: str, day: str) -> None:
    assert extract(page(head, body), url).date == day


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        (
            "<title>桜が咲いた | 山の新聞</title><meta property='og:site_name' content='山の新聞'>",
            "",
            "桜が咲いた",
        ),
        (
            "<title>山の新聞：桜が咲いた</title><meta property='og:site_name' content='山の新聞'>",
            "",
            "桜が咲いた",
        ),
        ("<title>桜が咲いた - 山の新聞</title>", "<h1>桜が咲いた</h1>", "桜が咲いた"),
        (
            "<title>桜が咲いた｜社会｜山の新聞</title>"
            "<meta property='og:title' content='桜が咲いた'>",
            "",
            "桜が咲いた",
        ),
        ("<title>\n  桜が\n  咲いた </title>", "", "桜が 咲いた"),
        ("", "<h1>桜が咲いた</h1>", "桜が咲いた"),
        ("<title>C&amp;C++ 入門 &#x6625;</title>", "", "C&C++ 入門 春"),
        ("", "", ""),
        (
            "<title>山の新聞</title><meta property='og:site_name' content='山の新聞'>",
            "",
            "山の新聞",
        ),
    ],
)
def test_title_without_the_name_of_the_site(head: str, body: str, title: str) -> None:
    assert extract(page(head, body)).title == title


@pytest.mark.parametrize(
    ("head", "body", "author"),
    [
        ('<meta name="author" content="山田太郎">', "", "山田太郎"),
        (
            '<script type="application/ld+json">{"@type":["NewsArticle"],'
            '"author":[{"@type":"Person",'
            '"name":"山田太郎"},{"name":"佐藤花子"}]}</script>',
            "",
            "山田太郎, 佐藤花子",
        ),
        ("", '<p>文：<a rel="author" href="/yamada">山田太郎</a></p>', "山田太郎"),
        ("", '<p class="byline">By 山田太郎</p>', "山田太郎"),
        ("", '<span itemprop="author">文・山田太郎</span>', "山田太郎"),
        ('<meta property="article:author" content="https://www.facebook.com/yama">', "", ""),
        ("", "", ""),
    ],
)
def test_author_from_meta_jsonld_rel_and_byline(head: str, body: str, author: str) -> None:
    assert extract(page(head, body + "<p>本文です。</p>")).author == author


@pytest.mark.parametrize(
    ("head", "site"),
    [
        ('<meta property="og:site_name" content="山の新聞">', "山の新聞"),
        (
            '<script type="application/ld+json">{"@type":"NewsArticle","publisher":{"@type":'
            '"Organization","name":"山の新聞社"}}</script>',
            "山の新聞社",
        ),
        (
            '<script type="application/ld+json">{"@type":"WebSite","name":"山の新聞"}</script>',
            "山の新聞",
        ),
        ('<meta name="twitter:site" content="@yama">', "yama"),
        ("", ""),
    ],
)
def test_site_from_meta_and_jsonld(head: str, site: str) -> None:
    assert extract(page(head)).site == site


def test_broken_jsonld_is_passed_over() -> None:
    deep = "[" * 100_000
    head = (
        f'<script type="application/ld+json">{deep}</script><script type="application/ld+json">'
        '{"a":</script><script type="application/ld+json">'
        '{"@type":"Article","author":"山田"}</script>'
    )
    assert extract(page(head)).author == "山田"


def test_the_head_is_there_for_rights_detection() -> None:
    document = parse(
        page(
            '<meta name="ROBOTS" content="noai"><meta name="robots" content="noimageai">'
            '<meta http-equiv="Content-Type" content="text/html">'
            '<meta property="og:title" content="A&amp;B">'
            '<link rel="License" href="https://creativecommons.org/licenses/by/4.0/">'
            '<link rel="alternate stylesheet" href="/a.css?b=1&amp;c=2">'
            '<script type="application/ld+json">{"license": "https://example.org/l"}</script>',
            '<a rel="license nofollow" href="/l">使用許諾</a><a href="/x">他</a>'
            '<a href="http://creativecommons.org/licenses/by-sa/2.1/jp/">CC</a>',
        )
    )
    assert document.meta["robots"] == ["noai", "noimageai"]
    assert document.meta["content-type"] == ["text/html"]
    assert document.meta["og:title"] == ["A&B"]
    assert document.links == [
        ("license", "https://creativecommons.org/licenses/by/4.0/"),
        ("alternate stylesheet", "/a.css?b=1&c=2"),
        ("license nofollow", "/l"),
        ("", "http://creativecommons.org/licenses/by-sa/2.1/jp/"),
    ]
    assert document.jsonld == ['{"license": "https://example.org/l"}']
