"""Boilerplate lines: the quick searches before the patterns never lose a line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.web.main_text import lines


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
    assert lines.clean_lines(f"本文です。\n{line}") == (
        "本文です。" if expected else f"本文です。\n{line}"
    )
    assert lines.clean_lines(sentence) == sentence
