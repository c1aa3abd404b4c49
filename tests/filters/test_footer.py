"""Footers are cut, articles are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from filter_texts import documents
from hypothesis import given
from hypothesis import strategies as st

from filters.footer import boilerplate_share, trim

ARTICLE = "見出し\n本文の一行目です。\n二行目の文もあります。検索の仕組みについて述べます。"


def kept(text: str) -> str:
    cut = trim(text)
    return text[cut.begin : cut.end]


def test_copyright_and_navigation_at_the_end_go_with_what_follows() -> None:
    footer = "\n会社概要 | お問い合わせ | サイトマップ\n株式会社例\n© 2024 All Rights Reserved"
    assert kept(ARTICLE + footer) == ARTICLE


def test_navigation_at_the_head_goes_and_the_headline_stays() -> None:
    assert kept("ホーム メニュー ログイン\n\n" + ARTICLE) == ARTICLE


def test_a_word_of_the_list_inside_a_sentence_does_not_cut() -> None:
    assert kept(ARTICLE) == ARTICLE
    assert boilerplate_share("検索の仕組みについて述べます。") < 0.3


def test_a_page_of_nothing_but_navigation_is_left_whole() -> None:
    assert kept("ログイン\nサイトマップ") == "ログイン\nサイトマップ"


def test_a_footer_word_far_from_the_end_does_not_cut() -> None:
    text = "本文です。\nコメント\n" + "\n".join(f"{i}番目の文です。" for i in range(12))
    assert kept(text) == text


@pytest.mark.parametrize(
    "footer",
    [
        "© Copyright 2023, Developer's Reference Team.\nCreated using Sphinx 5.3.0.",
        "この文書は Apache License, Version 2.0 のライセンスで提供されています。",
        "モジュール | ディレクティブ | FAQ | 用語 | サイトマップ",
        "本サイトの記事・写真の無断転載を禁じます。",
        "ログイン\n新規会員登録\nお問い合わせ",
    ],
)
def test_real_footers_go(footer: str) -> None:
    assert kept(f"{ARTICLE}\n{footer}") == ARTICLE


@pytest.mark.parametrize(
    "end",
    [
        "検索\nOpens a file selection dialog.\nエクスポート用 XSLT",
        '"Twitter" は、Twitter 社の登録商標です。',
        "7.21. レイヤー順序を反転\n画像ウィンドウのメニューより レイヤー → 重なり",
        "著作権法は、無断複製に罰則を定める。",
        "コメントは、「//」から行末までがコメント部分です。",
    ],
)
def test_real_ends_of_articles_stay(end: str) -> None:
    assert kept(f"{ARTICLE}\n{end}") == f"{ARTICLE}\n{end}"


def test_a_title_that_is_a_word_of_menus_stays() -> None:
    assert kept("書式メニュー\n" + ARTICLE) == "書式メニュー\n" + ARTICLE


def test_an_empty_text_stays_empty() -> None:
    assert kept("") == ""


@given(st.text(alphabet="あ。\n ログイン©", max_size=80))
def test_trimming_keeps_one_piece_of_the_text_and_once_is_enough_at_the_head(text: str) -> None:
    cut = trim(text)
    assert 0 <= cut.begin <= cut.end <= len(text)


def test_clean_texts_lose_nothing_but_lines_of_copyright(shared_data: Path) -> None:
    """Main texts of real pages, law, literature …: what goes is a copyright and what follows it."""
    texts = [t for g, t in documents(shared_data) if g != "foreign"]
    cuts = [(t, trim(t)) for t in texts]
    cut = [t[c.end :].strip() for t, c in cuts if t[c.begin : c.end] != t]
    assert all("© Copyright 2023" in end for end in cut)
    assert len(cut) <= 0.02 * len(texts)
    assert all(c.begin == 0 for _, c in cuts)
