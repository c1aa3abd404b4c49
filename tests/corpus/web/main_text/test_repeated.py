"""Lines that a site repeats are removed by the stated rule."""

from __future__ import annotations

import random

import numpy as np

from corpus.text.blocks import KINDS, NONE, Blocks
from corpus.web.main_text.repeated import LONG, MIN_PAGES, site_boilerplate

NOTICE = "当サイトの記事と写真を許可なく使うことはできませんのでご了承ください。"


def cleaned(hosts: list[str], texts: list[str]) -> list[str]:
    """What is left of texts without blocks."""
    return [text for text, _ in site_boilerplate(hosts, texts, [NONE] * len(texts))]


def texts(n: int) -> list[str]:
    return [
        f"山の新聞\n{i}日の天気は晴れでした。\n概要\n{i}人が訪れました。\n{NOTICE}\nお問い合わせ"
        for i in range(n)
    ]


def test_edges_and_long_lines_go_and_short_inner_headings_stay() -> None:
    found = cleaned(["a.jp"] * 6, texts(6))
    assert found == [f"{i}日の天気は晴れでした。\n概要\n{i}人が訪れました。" for i in range(6)]
    assert len(NOTICE) >= LONG > len("お問い合わせ")


def test_fewer_pages_than_the_minimum_are_left_alone() -> None:
    few = texts(MIN_PAGES - 1)
    assert cleaned(["a.jp"] * len(few), few) == few


def test_other_hosts_and_unknown_hosts_do_not_count() -> None:
    pages = texts(6)
    hosts = ["a.jp", "b.jp", "c.jp", "a.jp", "b.jp", "c.jp"]
    assert cleaned(hosts, pages) == pages
    assert cleaned([""] * 6, pages) == pages


def test_pages_with_the_same_text_count_once() -> None:
    same = [texts(1)[0]] * 10
    assert cleaned(["a.jp"] * 10, same) == same


def test_a_page_that_is_almost_only_repeated_lines_stays_whole() -> None:
    pages = [*texts(9), f"山の新聞\n{NOTICE}\nお問い合わせ"]
    assert cleaned(["a.jp"] * 10, pages)[-1] == pages[-1]


def test_the_order_of_the_pages_does_not_matter() -> None:
    pages = texts(12)
    order = list(range(12))
    random.Random(3).shuffle(order)
    straight = cleaned(["a.jp"] * 12, pages)
    mixed = cleaned(["a.jp"] * 12, [pages[i] for i in order])
    assert mixed == [straight[i] for i in order]


Part = tuple[str, int, str]  # kind, level, Markdown


def page(parts: list[Part]) -> tuple[str, Blocks]:
    spans, text = [], ""
    for kind, level, body in parts:
        text += "\n\n" if text else ""
        spans.append([len(text), len(text) + len(body), KINDS.index(kind), level, 0])
        text += body
    return text, Blocks(np.array(spans, np.int32))


def left(pages: list[list[Part]]) -> list[list[str]]:
    """The blocks that are left of the pages of a host."""
    texts, blocks = zip(*map(page, pages), strict=True)
    found = site_boilerplate(["a.jp"] * len(pages), texts, blocks)
    return [[text[a:z] for a, z in own.spans[:, :2].tolist()] for text, own in found]


def test_recurring_headings_with_text_under_them_stay() -> None:
    """機能 and 意味 head what differs from page to page; 関連 heads the site's own lines."""
    pages: list[list[Part]] = [
        [
            ("heading", 2, "## 機能"),
            ("paragraph", 0, f"{i}番目の関数は値を返します。長い説明が続きます。"),
            ("heading", 2, "## 意味"),
            ("heading", 3, "### 説明の見出しがここにあり、とても長いものになっています"),
            ("code", 0, f"```\nf({i})\n}}\n```"),
            ("heading", 2, "## 関連"),
            ("item", 1, "- トップ"),
            ("heading", 3, "### 外部"),
            ("item", 1, "- リンク"),
        ]
        for i in range(6)
    ]
    assert left(pages) == [[body for _, _, body in own[:5]] for own in pages]


def test_code_table_rows_and_closing_braces_are_no_ones() -> None:
    pages: list[list[Part]] = [
        [
            (
                "table",
                0,
                "| 名前 | 値 |\n| --- | --- |\n| 既定 | 初めから入っている値がここに書かれる |",
            ),
            ("paragraph", 0, f"{i}番目の本文です。"),
            ("paragraph", 0, "}"),
            ("code", 0, "```\n#include <stdio.h> /* 標準の入出力の関数を使う */\n}\n```"),
        ]
        for i in range(6)
    ]
    assert left(pages) == [[body for _, _, body in own] for own in pages]


def test_what_is_no_text_at_a_cut_end_goes_with_the_run() -> None:
    pages: list[list[Part]] = [
        [
            ("item", 1, "- ホーム"),
            ("paragraph", 0, "\\>"),
            ("rule", 0, "---"),
            ("paragraph", 0, f"{i}番目の本文です。大なりは > と書きます。"),
            ("rule", 0, "---"),
            ("paragraph", 0, "<" if i % 2 else "|"),
            ("paragraph", 0, "次のページへ"),
        ]
        for i in range(6)
    ]
    assert left(pages) == [[own[3][2]] for own in pages]
    # without a cut they stay
    assert left(pages[:4]) == [[body for _, _, body in own] for own in pages[:4]]


def test_an_item_that_loses_its_first_line_stays_an_item() -> None:
    pages: list[list[Part]] = [
        [("item", 1, f"- {NOTICE}\n  {i}番目の項目の続きの文がここに書かれています。")]
        for i in range(6)
    ]
    assert left(pages)[0] == ["- 0番目の項目の続きの文がここに書かれています。"]
