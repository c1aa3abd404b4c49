"""Boilerplate lines: the quick searches before the patterns never lose a line."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.blocks import kind
from corpus.web.main_text import lines, outline


@pytest.mark.parametrize("phrase", lines._PHRASES)
@given(data=st.data())
def test_every_string_of_a_phrase_is_boilerplate(phrase: str, data: st.DataObject) -> None:
    pattern = re.compile(f"[▲» ]?(?:{phrase})[。 ]?")
    line = data.draw(st.from_regex(pattern, fullmatch=True))
    if len(line) <= lines.MAX_PHRASE:
        assert lines.boilerplate(f"本文です。\n{line}\n続きです。") == {line}


@pytest.mark.parametrize(
    "line",
    [
        "© 2020 Example",
        "ⓒ Example",
        "Copyright (C) 2001-2004",
        "(c) 2004 Example",
        "（ｃ）Example",
        "（C）Copyright Example",
        "Example Corp. All Rights Reserved.",
        "当サイトの記事・画像の無断転載を禁じます。",
        "無断転載・複製を禁ず",
    ],
)
def test_copyright_lines_go_and_sentences_about_them_stay(line: str) -> None:
    sentence = (
        f"この文書には「{line}」と書いてあり、その意味をこれから順に説明していくことにする。" * 3
    )
    expected = lines._COPYRIGHT.fullmatch(line) or lines._RESERVED.fullmatch(line)
    expected = expected or lines._FORBIDDEN.fullmatch(line)
    assert bool(expected) == (line != "（ｃ）Example")  # a full-width c is no mark
    assert cleaned(f"本文です。\n{line}") == ("本文です。" if expected else f"本文です。\n{line}")
    assert cleaned(sentence) == sentence


def plan_of(*kinds: tuple[int, int]) -> np.ndarray:
    """A plan of pieces: their operations and kinds."""
    plan = np.zeros((len(kinds), outline.P_WIDTH), np.int32)
    plan[:, [outline.P_OP, outline.P_KIND]] = kinds
    return plan


def cleaned(piece: str) -> str:
    """One paragraph without its boilerplate lines."""
    plan = plan_of((outline.O_PROSE, kind.paragraph))
    return lines.boilerplate_pieces(piece + lines.PARTED, plan).removesuffix(lines.PARTED)


def test_headings_with_text_below_cells_terms_and_lines_with_code_stay() -> None:
    prose, cell, term = outline.O_PROSE, outline.O_CELL, outline.O_TERM
    plan = plan_of(
        (prose, kind.heading), (prose, kind.paragraph), (prose, kind.heading),
        (cell, kind.table), (term, kind.definition), (cell, kind.definition),
        (prose, kind.paragraph), (prose, kind.item), (prose, kind.heading),
    )  # fmt: skip
    pieces = ["前へ", "前へ", "節 ¶", "前へ", "次へ", "前へ", "\x1f前へ", "© 2020 \x1f", "前へ"]
    found = lines.boilerplate_pieces(lines.PARTED.join([*pieces, ""]), plan).split(lines.PARTED)
    assert found == [
        "前へ", "", "節", "前へ", "次へ", "前へ", "\x1f前へ", "© 2020 \x1f", "", "",
    ]  # fmt: skip


def page_of(text: str) -> str:
    """A page of paragraphs, and of headings where SECTIONS name them the last time, cleaned."""
    parts = text.split("\n")
    heads = [x in SECTIONS and x not in parts[i + 1 :] for i, x in enumerate(parts)]
    plan = plan_of(*((outline.O_PROSE, kind.heading if head else kind.paragraph) for head in heads))
    found = lines.boilerplate_pieces(lines.PARTED.join([*parts, ""]), plan).split(lines.PARTED)
    return "\n".join(filter(None, found))


@pytest.mark.parametrize(
    "line",
    [
        "[<< >>]",
        "<< | >>",
        "Previous | Next",
        "前へ 次へ",
        "« 前のページ 目次 次のページ »",
        "翻訳済み言語: en | fr | ja | ko | tr",
        "Available Languages: de | en | ja",
    ],
)
def test_links_to_neighbours_and_codes_of_languages_go(line: str) -> None:
    assert page_of(f"本文です。\n{line}\n続きです。") == "本文です。\n続きです。"


@pytest.mark.parametrize("line", [">>>", "x << 2 >> 1", "次", "前へ進む", "Next", "言語: 日本語"])
def test_lines_that_look_like_them_stay(line: str) -> None:
    assert line in page_of(f"本文です。\n{line}\n続きです。").split("\n")


def test_a_language_switcher_goes_in_one_line_or_in_many_and_two_names_stay() -> None:
    for switcher in (
        "English | 日本語 | Français",
        "English\n日本語\n한국어",
        "- Deutsch\n- Español\n- 日本語",
    ):
        assert page_of(f"本文です。\n{switcher}\n続きです。") == "本文です。\n続きです。"
    assert page_of("English\n日本語") == "English\n日本語"


def test_heading_anchors_go() -> None:
    assert page_of("はじめに¶\n段落記号¶は残る。") == "はじめに\n段落記号¶は残る。"


SECTIONS = ["はじめに", "使い方", "2.1 設定", "おわりに"]
CONTENTS = ["目次", "1. はじめに", "2. 使い方", "2.1 設定", "3. おわりに"]
BODY = [line for head in SECTIONS for line in (head, f"{head}の説明をここに書く。")]


def test_contents_that_repeat_the_headings_go_with_their_title() -> None:
    assert page_of("\n".join(["題", *CONTENTS, *BODY])) == "\n".join(["題", *BODY])


def test_contents_without_their_sections_and_refrains_stay() -> None:
    alone = "\n".join(["題", *CONTENTS, "本文はここに書く。"])
    assert page_of(alone) == alone
    song = "\n".join(
        ["花が咲く", "鳥が鳴く", "風が吹く", "春の歌", "花が咲く", "鳥が鳴く", "風が吹く"]
    )
    assert page_of(song) == song
