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
        assert lines.is_boilerplate(line)


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
