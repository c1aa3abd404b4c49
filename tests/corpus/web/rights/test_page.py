"""What pages and headers say about use, in the forms in which they say it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.web.html.document import parse
from corpus.web.rights import page as rights
from corpus.web.rights.sites import Site, row, tdm_rules


def of_page(html: str, headers: dict[str, str] | None = None) -> dict:
    tree = parse(html)
    visible = tree.text.tobytes().decode()
    return rights.read(headers or {}, tree.meta, tree.links, tree.jsonld, visible)


# robots directives --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "robots"),
    [
        ("noindex", ["noindex"]),
        ("NoIndex, NOARCHIVE", ["noarchive", "noindex"]),
        ("googlebot: noindex, nofollow", ["googlebot: nofollow", "googlebot: noindex"]),
        ("BadBot: noindex, googlebot: nofollow", ["badbot: noindex", "googlebot: nofollow"]),
        ("googlebot: noindex, noai", ["googlebot: noindex", "noai"]),  # two headers, joined
        ("*: noai", ["noai"]),
        ("max-snippet:20, max-image-preview:large, noarchive", ["noarchive"]),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST", ["unavailable_after: 2010-06-25"]),
        (
            "unavailable_after: Friday, 25-Jun-10 15:00:00 UTC, noai",
            ["noai", "unavailable_after: 2010-06-25"],
        ),
        (
            "noai, unavailable_after: 2024-06-25T00:00:00+09:00",
            ["noai", "unavailable_after: 2024-06-25"],
        ),
        ("googlebot: unavailable_after: 25 Jun 2010", ["googlebot: unavailable_after: 2010-06-25"]),
        ("unavailable_after: soon", ["unavailable_after"]),
        ("all, index, follow", []),
        ("", []),
    ],
)
def test_x_robots_tag(header: str, robots: list[str]) -> None:
    assert rights.read({"x-robots-tag": header}, {}, (), (), "")["robots"] == robots


@pytest.mark.parametrize(
    ("head", "noai"),
    [
        ('<meta name="robots" content="noai, noimageai">', True),
        ('<META NAME="ROBOTS" CONTENT="NOAI">', True),
        ('<meta name="GPTBot" content="noai">', True),
        ('<meta http-equiv="X-Robots-Tag" content="noai">', True),
        ('<meta name="googlebot" content="noai">', False),
        ('<meta name="robots" content="noimageai">', False),  # about images; recorded
        ('<meta name="description" content="noai">', False),
    ],
)
def test_robots_meta_and_what_counts_as_noai(head: str, noai: bool) -> None:
    assert of_page(f"<head>{head}</head><p>本文")["noai"] is noai


def test_directives_that_hold_for_all() -> None:
    said = ["googlebot: noindex", "gptbot: noarchive", "noai", "unavailable_after: 2024-06-25"]
    assert rights.directives_for_all(said) == {"noarchive", "noai", "unavailable_after"}


# TDM reservation ----------------------------------------------------------------------------------


def test_tdm_reservation_of_header_and_meta() -> None:
    page = (
        '<head><meta name="tdm-reservation" content="1">'
        '<meta name="tdm-policy" content="https://a.example/p.json"></head><p>本文'
    )
    found = of_page(page)
    assert found["tdm_reservation"] and found["tdm_policy"] == "https://a.example/p.json"
    assert of_page("<p>本文", {"tdm-reservation": " 1 "})["tdm_reservation"]
    assert not of_page("<p>本文", {"tdm-reservation": "0"})["tdm_reservation"]
    assert of_page(page, {"tdm-reservation": "0"})["tdm_reservation"]  # either reserves


TDMREP = json.dumps(
    [
        {"location": "/free/", "tdm-reservation": 0},
        {"location": "/images/*.jpg$", "tdm-reservation": 1},
        {"location": "/検索", "tdm-reservation": "1", "tdm-policy": "https://a.example/p"},
        {"location": "/", "tdm-reservation": 1, "tdm-policy": "https://a.example/all"},
        {"no": "rule"},
        5,
        None,
    ]
).encode()


def test_tdmrep_json_of_the_archive() -> None:
    url = "https://a.example/.well-known/tdmrep.json"
    found = row(url, "2024-05-01T00:00:00Z", TDMREP)
    assert found is not None and found["kind"] == "tdm"
    site = Site.load([found])

    def said(path: str) -> tuple[bool | None, str, bool | None]:
        verdict = site.lookup("https://a.example" + path)
        assert verdict is not None
        return verdict.tdm_reserved, verdict.tdm_policy, verdict.usage.get("tdm")

    assert said("/free/x") == (False, "", True)
    assert said("/images/a.jpg") == (True, "", False)
    assert said("/%e6%a4%9c%e7%b4%a2?q") == (True, "https://a.example/p", False)
    assert said("/") == said("") == (True, "https://a.example/all", False)
    assert site.lookup("http://a.example/") is None  # another origin


@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_any_bytes_are_a_tdmrep_json(body: bytes) -> None:
    assert isinstance(tdm_rules(body), list)


# licences -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "licence"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-nc-sa/3.0/deed.ja", "CC-BY-NC-SA-3.0"),
        ("http://www.creativecommons.org/licenses/by/2.1/jp/", "CC-BY-2.1-JP"),
        ("https://creativecommons.org/licenses/by-sa/2.1/jp/legalcode", "CC-BY-SA-2.1-JP"),
        ("//creativecommons.org/licenses/by-nd/4.0", "CC-BY-ND-4.0"),
        ("HTTPS://CreativeCommons.org/licenses/BY/4.0/legalcode.ja", "CC-BY-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/deed.ja", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "PDM-1.0"),
        ("http://creativecommons.org/licenses/publicdomain/", "CC-PDDC"),
        ("https://www.digital.go.jp/resources/open_data/public_data_license_v1.0", "PDL-1.0"),
        (
            "http://www.kantei.go.jp/jp/singi/it2/densi/kettei/gl2_betten_1.pdf",
            "GSTU-2.0",
        ),
        ("https://evil.example/www.kantei.go.jp/jp/singi/it2/densi/kettei/gl2_betten_1.pdf", ""),
        ("https://creativecommons.org/about/", ""),
        ("https://evil.example/?creativecommons.org/licenses/by/4.0/", ""),
    ],
)
def test_licence_classes(url: str, licence: str) -> None:
    assert rights.licence_class(url) == licence


@pytest.mark.parametrize(
    ("foot", "licence"),
    [
        (
            "当ウェブサイトのコンテンツは、公共データ利用規約（第1.0版）に準拠して利用できます。",
            "PDL-1.0",
        ),
        ("本サイトのデータは公共データ利用規約(第1.0版)(PDL1.0)の下で提供しています。", "PDL-1.0"),
        ("ライセンス：公共データ利用規約（第1.0版）", "PDL-1.0"),
        ("公共データ利用規約（第1.0版）（PDL1.0）", "PDL-1.0"),
        ("本利用ルールは、政府標準利用規約（第2.0版）に準拠しています。", "GSTU-2.0"),
        ("当サイトの利用規約は政府標準利用規約（第 2.0 版）に基づきます", "GSTU-2.0"),
        ("デジタル庁は公共データ利用規約（第1.0版）を公表しました。", ""),
        ("出典：厚生労働省ウェブサイト（URL）、PDL1.0", ""),
        ("政府標準利用規約（第2.0版）から公共データ利用規約（第1.0版）への移行について", ""),
        ("政府標準利用規約（第1.0版）に準拠しています。", ""),
        ("本サイトの規約はPDL1.0に準拠。当サイトの規約は政府標準利用規約（第2.0版）に準拠。", ""),
        ("利用規約", ""),
    ],
)
def test_licences_of_the_government_by_name_at_the_foot(foot: str, licence: str) -> None:
    body = "市の人口は一年で千人減りました。\n" * 300
    assert rights.stated_licence(body + foot) == licence
    assert rights.stated_licence(f"お知らせ\n{foot}\n{body}") == ""


@given(st.text(alphabet="当本サイト公共データ利用規約第1.0版PDL準拠。\n （", max_size=300))
def test_any_foot_is_read(foot: str) -> None:
    assert rights.stated_licence(foot) in ("", "PDL-1.0", "GSTU-2.0")


CC = "https://creativecommons.org/licenses/by/4.0/"


@pytest.mark.parametrize(
    "page",
    [
        f'<head><link rel="license" href="{CC}"></head><p>本文',
        f'<p>本文<a rel="nofollow License" href="{CC}">CC</a>',
        f'<p>本文<a rel="cc:license" href="{CC}">CC</a>',
        f'<div about="" ><a property="dct:license" href="{CC}">CC BY</a></div>',
        f'<p>本文<footer><a href="{CC}">CC BY 4.0</a> <a href="{CC}deed.ja">表示</a></footer>',
        f'<head><meta name="DCTERMS.license" content="{CC}"></head><p>本文',
        f'<script type="application/ld+json">{{"@type":"Article","license":"{CC}"}}</script>',
        '<script type="application/ld+json">{"@graph":[{"@type":"WebSite"},{"@type":["WebPage"],'
        f'"license":["{CC}"]}}]}}</script>',
        '<script type="application/ld+json">[{"@type":"Article","license":{"@type":"CreativeWork",'
        f'"name":"CC","url":"{CC}"}}}}]</script>',
        '<script type="application/ld+json">{"license":"https:\\/\\/creativecommons.org\\/licenses'
        '\\/by\\/4.0\\/"}</script>',
        '<script type="application/ld+json">{"broken": , "license":"https:\\/\\/creativecommons.org'
        '\\/licenses\\/by\\/4.0\\/"}</script>',
    ],
)
def test_where_a_licence_stands(page: str) -> None:
    assert rights.licence_class(of_page(page)["licence_url"]) == "CC-BY-4.0"


@pytest.mark.parametrize(
    "page",
    [
        '<script type="application/ld+json">{"@type":"Article","image":{"@type":"ImageObject",'
        f'"license":"{CC}"}}}}</script>',
        f'<p>ライセンスには<a href="{CC}">表示</a>や'
        '<a href="https://creativecommons.org/licenses/by-sa/4.0/">継承</a>がある。',
        '<p><a href="/license">利用規約</a>',
    ],
)
def test_what_is_no_licence_of_the_page(page: str) -> None:
    assert of_page(page)["licence_url"] == ""


@given(st.text(max_size=200))
def test_any_json_ld_is_read(text: str) -> None:
    for block in (text, '{"license":' + text, '{"license":' + json.dumps(text) + "}"):
        assert isinstance(rights.read({}, {}, (), (block,), text)["licence_url"], str)


# phrases ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phrase",
    [
        "無断転載を禁ず",
        "記事の無断転載・複製を固く禁じます。",
        "無断での転載はご遠慮ください",
        "禁無断転載",
        "Copyright © 2024 Example. All Rights Reserved.",
        "ALL RIGHTS RESERVED",
        "許可なく複製・転載することを禁じます",
        "転載・複製を禁じます",
        "転載禁止",
        "無断複写不可",
    ],
)
def test_phrases_that_reserve_all_rights(phrase: str) -> None:
    script = "<script>" + "var x = 1;" * 2000 + "</script>"
    page = f"<p>{'本文の段落です。' * 2000}</p><footer>{phrase}</footer>{script}"
    assert of_page(page)["reserved"]


@pytest.mark.parametrize(
    "text",
    [
        "無断転載という言葉の意味を説明する。",
        "転載を歓迎します。",
        "© 2024 Example",
        "複製の作り方",
        "<script>/* (c) A. All rights reserved. */</script>本文",
    ],
)
def test_texts_that_reserve_nothing(text: str) -> None:
    assert not of_page(f"<p>{text}</p>")["reserved"]
