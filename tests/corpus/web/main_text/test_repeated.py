"""Lines that a site repeats are removed by the stated rule."""

from __future__ import annotations

import random

from corpus.web.main_text.repeated import LONG, MIN_PAGES, site_boilerplate

NOTICE = "当サイトの記事と写真を許可なく使うことはできませんのでご了承ください。"


def texts(n: int) -> list[str]:
    return [
        f"山の新聞\n{i}日の天気は晴れでした。\n概要\n{i}人が訪れました。\n{NOTICE}\nお問い合わせ"
        for i in range(n)
    ]


def test_edges_and_long_lines_go_and_short_inner_headings_stay() -> None:
    found = site_boilerplate(["a.jp"] * 6, texts(6))
    assert found == [f"{i}日の天気は晴れでした。\n概要\n{i}人が訪れました。" for i in range(6)]
    assert len(NOTICE) >= LONG > len("お問い合わせ")


def test_fewer_pages_than_the_minimum_are_left_alone() -> None:
    few = texts(MIN_PAGES - 1)
    assert site_boilerplate(["a.jp"] * len(few), few) == few


def test_other_hosts_and_unknown_hosts_do_not_count() -> None:
    pages = texts(6)
    hosts = ["a.jp", "b.jp", "c.jp", "a.jp", "b.jp", "c.jp"]
    assert site_boilerplate(hosts, pages) == pages
    assert site_boilerplate([""] * 6, pages) == pages


def test_pages_with_the_same_text_count_once() -> None:
    same = [texts(1)[0]] * 10
    assert site_boilerplate(["a.jp"] * 10, same) == same


def test_a_page_that_is_almost_only_repeated_lines_stays_whole() -> None:
    pages = [*texts(9), f"山の新聞\n{NOTICE}\nお問い合わせ"]
    assert site_boilerplate(["a.jp"] * 10, pages)[-1] == pages[-1]


def test_the_order_of_the_pages_does_not_matter() -> None:
    pages = texts(12)
    order = list(range(12))
    random.Random(3).shuffle(order)
    straight = site_boilerplate(["a.jp"] * 12, pages)
    mixed = site_boilerplate(["a.jp"] * 12, [pages[i] for i in order])
    assert mixed == [straight[i] for i in order]
