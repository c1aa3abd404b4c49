"""Footers are cut, articles are not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from filter_texts import documents
from hypothesis import given
from hypothesis import strategies as st

from filters.footer import boilerplate_share, trim, trim_all

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


def test_trimmed_spans_and_texts_agree_and_nulls_stay() -> None:
    texts = pa.array([ARTICLE + "\nログイン", None, ""], pa.large_string())
    out, spans = trim_all(texts)
    assert out.to_pylist() == [ARTICLE, None, ""]
    assert spans.tolist() == [[0, len(ARTICLE)], [0, 0], [0, 0]]
    assert out.type == pa.large_string()


@given(st.text(alphabet="あ。\n ログイン©", max_size=80))
def test_trimming_keeps_one_piece_of_the_text_and_once_is_enough_at_the_head(text: str) -> None:
    cut = trim(text)
    assert 0 <= cut.begin <= cut.end <= len(text)


def test_literature_and_law_lose_nothing(shared_data: Path) -> None:
    texts = [t for g, t in documents(shared_data) if g in ("literature", "law", "encyclopedia")]
    cut = [t for t in texts if kept(t) != t]
    assert len(cut) <= 0.02 * len(texts)
